package scenario

import (
	"time"

	"github.com/expr-lang/expr/vm"
)

// Leaky is "leaky" of an expression: the bucket (pkg/leakybucket/bucket.go,
// v1.7.8).
type Leaky struct {
	Total_count int
	First_ts    time.Time
	Last_ts     time.Time
	Ovflw_ts    time.Time
}

// machine runs expressions about one event, and about a bucket as far as
// [expression.needs] asks for one.
type machine struct {
	in *input
	vm vm.VM

	facts []facts // of the events that the bucket holds, the oldest first
	queue *Queue  // the same events whole
	leaky *Leaky

	held   heldQueue
	buffer []byte
}

// isTrue runs a condition; one that fails is not true.
func (m *machine) isTrue(x *expression) bool {
	value, ok := m.decide(x)
	return value && ok
}

// decide runs a condition and reports false if it failed.
func (m *machine) decide(x *expression) (value, ok bool) {
	if x.match != nil {
		return x.match(m.in), true
	}
	if x.ofQueue != nil {
		m.held.facts = m.facts
		return x.ofQueue(&m.held), true
	}
	result, err := m.run(x)
	if err != nil {
		return false, false
	}
	value, ok = result.(bool)
	return value, ok
}

// text runs an expression that yields text; one that fails yields "".
func (m *machine) text(x *expression) string {
	if x.text != nil {
		return x.text(m.in)
	}
	result, err := m.run(x)
	if err != nil {
		return ""
	}
	text, _ := result.(string)
	return text
}

// bytes is text in a buffer that is used again; of no expression it is empty.
func (m *machine) bytes(x *expression) []byte {
	m.buffer = m.buffer[:0]
	switch {
	case x == nil:
	case x.appendText != nil:
		m.buffer = x.appendText(m.buffer, m.in)
	default:
		m.buffer = append(m.buffer, m.text(x)...)
	}
	return m.buffer
}

func (m *machine) run(x *expression) (any, error) {
	if x.bucket {
		env := bucketEnv{Queue: m.queue, Leaky: m.leaky, TimeNow: m.timeNow}
		if x.readsEvt {
			env.Evt = m.in.evt()
		}
		return m.vm.Run(x.program, env)
	}
	return m.vm.Run(x.program, filterEnv{Evt: m.in.evt(), TimeNow: m.timeNow})
}

func (m *machine) timeNow() string { return m.in.ev.Time.UTC().Format(time.RFC3339) }
