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
	said   saidError
	log    *slog.Logger
	now    func() time.Time
}

// saidError is what the log says of a source's trouble, so that a source that fails
// and works in turns does not fill it.
type saidError struct {
	text string    // of the error that was logged last
	at   time.Time // when
	open bool      // nothing was logged since that it works again
}

// sayAgain is how long an error is not logged again after the source worked.
const sayAgain = 10 * time.Minute

func newMeter(name string, log *slog.Logger) *meter {
	return &meter{status: Status{Name: name, State: Waiting, Drops: map[string]int64{}}, log: logger(log).With("source", name), now: time.Now}
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

// set enters a state. An error is logged once: again when it is another, or when it
// comes back after sayAgain. The status always has the newest state.
func (m *meter) set(state State, err error) {
	m.mu.Lock()
	m.status.State, m.status.Err = state, err
	fails, works := m.worthSaying(err)
	m.mu.Unlock()
	switch {
	case fails:
		m.log.Error("source fails", "error", err, "hint", hint.Of(err))
	case works:
		m.log.Info("source works again", "state", string(state))
	}
}

// worthSaying reports what is to be logged of err, and notes that it is.
func (m *meter) worthSaying(err error) (fails, works bool) {
	if err == nil {
		works = m.said.open
		m.said.open = false
		return false, works
	}
	now := m.now()
	same := m.said.text == err.Error()
	if same && (m.said.open || now.Sub(m.said.at) < sayAgain) {
		return false, false
	}
	m.said = saidError{text: err.Error(), at: now, open: true}
	return true, false
}
