package follow

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"csmail/pkg/hint"
)

// Status is how a source is doing, since it was made.
type Status struct {
	Name     string
	State    State
	Err      error            // what is wrong while Failing, else nil; hint.Of tells how to mend it
	Lines    int64            // handed out
	Bytes    int64            // handed out
	Lag      int64            // bytes that are written and not handed out, -1 if nobody knows
	Drops    map[string]int64 // lines lost, by reason; the caller's own copy
	LastLine time.Time        // when the last batch was read, zero before the first
	Restarts int64            // how often journalctl or the listener was started again
}

// meter keeps a Status.
type meter struct {
	mu     sync.Mutex
	status Status
	unsent int64 // drops that no batch has carried yet
	log    *slog.Logger
}

func newMeter(name string, log *slog.Logger) *meter {
	return &meter{status: Status{Name: name, State: Waiting, Drops: map[string]int64{}}, log: logger(log).With("source", name)}
}

func (m *meter) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	s.Drops = maps.Clone(s.Drops)
	return s
}

// count notes a batch before it is emitted, and gives it the drops so far.
func (m *meter) count(b *Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.Dropped, m.unsent = m.unsent, 0
	if b.Text == "" {
		return
	}
	m.status.Lines += int64(strings.Count(b.Text, "\n"))
	m.status.Bytes += int64(len(b.Text))
	m.status.LastLine = b.Read
}

func (m *meter) drop(reason string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Drops[reason] += n
	m.unsent += n
}

func (m *meter) setLag(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Lag = bytes
}

func (m *meter) restarted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Restarts++
}

// set enters a state. An error is logged when it is another than before.
func (m *meter) set(state State, err error) {
	m.mu.Lock()
	before := m.status
	m.status.State, m.status.Err = state, err
	m.mu.Unlock()
	switch {
	case err != nil && (before.Err == nil || before.Err.Error() != err.Error()):
		m.log.Error("source fails", "error", err, "hint", hint.Of(err))
	case err == nil && before.Err != nil:
		m.log.Info("source works again", "state", string(state))
	}
}
