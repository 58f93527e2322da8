package expression

import (
	"time"

	"github.com/expr-lang/expr/vm"
)

// Leaky is "leaky" of an expression: the bucket (pkg/leakybucket/bucket.go,
// v1.7.8).
type Leaky struct {
	Total_count int       // events poured since First_ts
	First_ts    time.Time // of the first event
	Last_ts     time.Time // of the latest one
	Ovflw_ts    time.Time // when it ran over: the time of the last event, or of the end of a counter
}

// Machine runs expressions about one event, and about one bucket. The caller sets the
// inputs that the expression reads, of the bucket those in [Expression.Needs], and keeps
// ownership of them. Use it from one goroutine at a time.
type Machine struct {
	In *Input // never nil while an expression runs

	Facts []Facts // of the events that the bucket holds, the oldest first
	Queue *Queue  // the same events whole
	Leaky *Leaky

	vm     vm.VM
	held   heldQueue
	buffer []byte
}

// IsTrue runs a condition; one that fails is not true.
func (m *Machine) IsTrue(x *Expression) bool {
	value, ok := m.Decide(x)
	return value && ok
}

// Decide runs a condition. ok is false if it failed: an index out of range, a helper
// that does not accept its input.
func (m *Machine) Decide(x *Expression) (value, ok bool) {
	if x.match != nil {
		return x.match(m.In), true
	}
	if x.ofQueue != nil {
		m.held.facts = m.Facts
		return x.ofQueue(&m.held), true
	}
	result, err := m.run(x)
	if err != nil {
		return false, false
	}
	value, ok = result.(bool)
	return value, ok
}

// Text runs an expression of [Compiler.Text], and reports false if it failed. A value
// that is not a text, like nil, reads as "".
func (m *Machine) Text(x *Expression) (text string, ok bool) {
	if x.text != nil {
		return x.text(m.In), true
	}
	result, err := m.run(x)
	if err != nil {
		return "", false
	}
	text, _ = result.(string)
	return text, true
}

// Bytes is Text in a buffer, valid until the next call of Bytes; of no expression
// it is empty.
func (m *Machine) Bytes(x *Expression) (text []byte, ok bool) {
	m.buffer = m.buffer[:0]
	switch {
	case x == nil:
	case x.appendText != nil:
		m.buffer = x.appendText(m.buffer, m.In)
	default:
		text, ok := m.Text(x)
		m.buffer = append(m.buffer, text...)
		return m.buffer, ok
	}
	return m.buffer, true
}

func (m *Machine) run(x *Expression) (any, error) {
	if x.bucket {
		env := bucketEnv{Queue: m.Queue, Leaky: m.Leaky, TimeNow: m.timeNow}
		if x.readsEvt {
			env.Evt = m.In.Evt()
		}
		return m.vm.Run(x.program, env)
	}
	return m.vm.Run(x.program, filterEnv{Evt: m.In.Evt(), TimeNow: m.timeNow})
}

func (m *Machine) timeNow() string { return m.In.Event.Time.UTC().Format(time.RFC3339) }
