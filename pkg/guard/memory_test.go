package guard

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"csmail/pkg/event"
)

// A memory keeps of each source what plain maps and slices would, in whatever order
// sources come and go, and gives all of it back.
func TestMemoryModel(t *testing.T) {
	type want struct {
		offences []offence
		accounts []account
	}
	rapid.Check(t, func(t *rapid.T) {
		m, model := newMemory(event.HashKey{1}), map[uint64]*want{}
		for i := range rapid.IntRange(1, 400).Draw(t, "steps") {
			key := rapid.Uint64Range(0, 5).Draw(t, "key")
			s, w := m.find(key), model[key]
			if (s != nil) != (w != nil) {
				t.Fatalf("source %d: got known %t, want %t", key, s != nil, w != nil)
			}
			if s == nil {
				s, w = m.add(key), &want{}
				model[key] = w
			}
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				m.forget(key)
				delete(model, key)
				continue
			case 1:
				m.noteLogin(s, event.AccountHash{Name: uint64(i + 1)}, uint32(i))
				w.accounts = append(w.accounts, account{name: event.AccountHash{Name: uint64(i + 1)}, at: uint32(i)})
			case 2:
				at := uint32(rapid.IntRange(0, i).Draw(t, "from"))
				drop := func(o offence) bool { return o.at >= at }
				m.setOffences(s, slices.DeleteFunc(m.offencesOf(s), drop))
				w.offences = slices.DeleteFunc(w.offences, drop)
			default:
				for n := range rapid.IntRange(1, 30).Draw(t, "offences") {
					o := offence{at: uint32(i), n: uint16(n + 1), kind: event.Kind(n%2 + 1)}
					m.addOffence(s, o)
					if w.offences = append(w.offences, o); len(w.offences) > maxOffences+shedOffences {
						w.offences = slices.Clone(w.offences[shedOffences:])
					}
				}
			}
			if got := m.offencesOf(s); !slices.Equal(got, w.offences) {
				t.Fatalf("source %d: got offences %v, want %v", key, got, w.offences)
			}
			if got := m.accountsIn(s.accounts); !slices.Equal(got, w.accounts) {
				t.Fatalf("source %d: got accounts %v, want %v", key, got, w.accounts)
			}
		}
		for s := range m.all {
			m.forget(s.key)
		}
		if m.len()+m.offences.Taken()+m.accounts.Taken() > 0 {
			t.Fatalf("got %d sources, %d offences and %d accounts left, want none", m.len(), m.offences.Taken(), m.accounts.Taken())
		}
	})
}
