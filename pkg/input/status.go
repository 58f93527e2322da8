package input

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"csmail/pkg/hint"
)

// Status is how an input is doing, since it was made.
type Status struct {
	Name     string
	State    State
	Err      error            // the reason while Failing, else nil; hint.Of says how to correct it
	Lines    int64            // handed out
	Bytes    int64            // handed out
	Lag      int64            // bytes that are written and not handed out, -1 if unknown
	Drops    map[string]int64 // lines lost, by reason; the caller's own copy
	LastLine time.Time        // when the last batch was read, zero before the first
	Restarts int64            // how often journalctl or the listener was started again
}

// Meter keeps the Status of one input, and counts what its batches hold. Its methods
// may be called by any goroutine.
type Meter struct {
	mu     sync.Mutex
	status Status
	unsent int64 // drops that no batch has carried yet
	said   saidError
	Log    *slog.Logger // names the input in each message
	now    func() time.Time
}

// saidError is the last logged error of a source. It keeps a source that fails and works
// in turns from filling the log.
type saidError struct {
	text string    // of the error that was logged last
	at   time.Time // when
	open bool      // nothing was logged since that it works again
}

// sayAgain is how long an error is not logged again after the source worked.
const sayAgain = 10 * time.Minute

// NewMeter returns a Meter for an input that waits. A nil log logs nothing.
func NewMeter(name string, log *slog.Logger) *Meter {
	return &Meter{status: Status{Name: name, State: Waiting, Drops: map[string]int64{}}, Log: Logger(log).With("source", name), now: time.Now}
}

// Status returns a copy.
func (m *Meter) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	s.Drops = maps.Clone(s.Drops)
	return s
}

// Count notes a batch before it is emitted, and gives it the drops so far.
func (m *Meter) Count(b *Batch) {
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

// Drop counts lost lines under a reason, one of the Drop constants.
func (m *Meter) Drop(reason string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Drops[reason] += n
	m.unsent += n
}

// SetLag notes how many bytes are written and not handed out, -1 if that is unknown.
func (m *Meter) SetLag(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Lag = bytes
}

// Restarted counts a new start of a process or listener.
func (m *Meter) Restarted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Restarts++
}

// Set enters a state. An error is logged once, and again when it changes or when it
// comes back after sayAgain. The status always has the newest state.
func (m *Meter) Set(state State, err error) {
	m.mu.Lock()
	m.status.State, m.status.Err = state, err
	fails, works := m.worthSaying(err)
	m.mu.Unlock()
	switch {
	case fails:
		m.Log.Error("source fails", "error", err, "hint", hint.Of(err))
	case works:
		m.Log.Info("source works again", "state", string(state))
	}
}

// worthSaying reports whether err, or its end, is to be logged, and notes that it is.
func (m *Meter) worthSaying(err error) (fails, works bool) {
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
