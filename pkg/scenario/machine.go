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

// machine runs expressions about one event, and about a bucket where one is set.
type machine struct {
	in *input
	vm vm.VM

	engine   *Engine
	scenario *Scenario
	bucket   *bucket
	queue    *Queue // of the bucket, built when a program reads it
	held     heldQueue

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
		m.held.layout, m.held.words = m.engine.detailOf(m.bucket)
		return x.ofQueue(&m.held), true
	}
	result, err := m.run(x)
	if err != nil {
		return false, false
	}
	value, ok = result.(bool)
	return value, ok
}

// text runs an expression that yields text, and reports false if it failed. What
// is no text, as nil, reads as "".
func (m *machine) text(x *expression) (text string, ok bool) {
	if x.text != nil {
		return x.text(m.in), true
	}
	result, err := m.run(x)
	if err != nil {
		return "", false
	}
	text, _ = result.(string)
	return text, true
}

// bytes is text in a buffer that is used again; of no expression it is empty.
func (m *machine) bytes(x *expression) (text []byte, ok bool) {
	m.buffer = m.buffer[:0]
	switch {
	case x == nil:
	case x.appendText != nil:
		m.buffer = x.appendText(m.buffer, m.in)
	default:
		text, ok := m.text(x)
		m.buffer = append(m.buffer, text...)
		return m.buffer, ok
	}
	return m.buffer, true
}

func (m *machine) run(x *expression) (any, error) {
	if x.bucket {
		env := bucketEnv{Queue: m.view(), Leaky: m.leaky(), TimeNow: m.timeNow}
		if x.readsEvt {
			env.Evt = m.in.evt()
		}
		return m.vm.Run(x.program, env)
	}
	return m.vm.Run(x.program, filterEnv{Evt: m.in.evt(), TimeNow: m.timeNow})
}

func (m *machine) timeNow() string { return m.in.ev.Time.UTC().Format(time.RFC3339) }

// view is the queue of the bucket as programs read it.
func (m *machine) view() *Queue {
	if m.queue == nil {
		m.queue = m.engine.queueView(m.bucket, m.scenario)
	}
	return m.queue
}

// leaky is the bucket as programs read it. Where it ran over, that is the time at
// hand: of the last event, or of the end of a counter.
func (m *machine) leaky() *Leaky {
	return &Leaky{
		Total_count: int(m.bucket.total), First_ts: stamp(m.bucket.first), Last_ts: stamp(m.bucket.last),
		Ovflw_ts: stamp(max(m.bucket.last, nanoseconds(m.in.ev.Time))),
	}
}
