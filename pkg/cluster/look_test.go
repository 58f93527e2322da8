package cluster

import "testing"

// A follower is a message behind now and then. One that is dead, or too slow, never has all,
// and is not less behind at any look.
func TestExcuse(t *testing.T) {
	at := func(lag uint64, current bool) View {
		return View{Replicas: []Replica{{Name: "n1", Leads: true, Current: true}, {Name: "n3", Lag: lag, Current: current}}}
	}
	for _, c := range []struct {
		name  string
		views []View // the last one is the newest
		want  bool
	}{
		{"current", []View{at(0, true)}, true},
		{"behind at the only look", []View{at(1, false)}, false},
		{"dead, and nothing is sent", []View{at(2, false), at(2, false), at(2, false)}, false},
		{"dead, while messages come", []View{at(2, false), at(5, false), at(9, false)}, false},
		{"current at one look", []View{at(1, false), at(0, true), at(1, false)}, true},
		{"catching up", []View{at(900, false), at(500, false), at(100, false)}, true},
		{"now more behind, now less", []View{at(3, false), at(1, false), at(4, false)}, true},
		{"just started", []View{{}, at(3, false)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := c.views[len(c.views)-1]
			v.excuse(c.views[:len(c.views)-1])
			if got := v.Replicas[1].Current; got != c.want {
				t.Errorf("got current %v, want %v", got, c.want)
			}
		})
	}
	v := at(2, false)
	v.Replicas[1].Away = true
	if v.isLagging() {
		t.Error("got a server that is away as one that lags, want it shown at once")
	}
}
