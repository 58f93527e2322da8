package daemon

import (
	"fmt"
	"testing"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

func TestHostNames(t *testing.T) {
	for _, c := range []struct{ edge, host, want string }{
		{"mx1", "mx1", "mx1"},
		{"mx1", "", "mx1"},
		{"mx1-example-org", "mx1.example.org", "mx1.example.org"},
		{"mx1-example-org", "mx1", "mx1-example-org/mx1"}, // mx1-example-net may have one, too
		{"relay", "mx7", "relay/mx7"},
		{"mx2", "mx1", "mx2/mx1"}, // it must not speak for mx1
		{"mx2", "mx1.example.org", "mx2/mx1.example.org"},
		{"mx2", "mx1/mx7", "mx2/mx1/mx7"},
	} {
		var names hostNames
		for range 2 { // the second time it is at hand
			if got := names.of(c.edge, c.host); got != c.want {
				t.Errorf("host %q of edge %q: got %q, want %q", c.host, c.edge, got, c.want)
			}
		}
	}
}

// Hosts without end take no memory without end, and two judges come to the same although
// one of them was restarted in between.
func TestManyHostNames(t *testing.T) {
	var old, fresh hostNames
	for i := range 3 * maxHostNames {
		host := fmt.Sprint("h", i%(2*maxHostNames))
		if i%1000 == 0 {
			fresh = hostNames{}
		}
		if a, b := old.of("mx2", host), fresh.of("mx2", host); a != b {
			t.Fatalf("host %q: got %q and %q, want the same", host, a, b)
		}
	}
	if n := len(old.known); n > maxHostNames {
		t.Errorf("got %d names at hand, want %d at most", n, maxHostNames)
	}
}

func TestAttribute(t *testing.T) {
	record := func(host string) event.Record { return event.Record{Event: event.Event{Host: host}} }
	f := wire.Fact{Record: record("mx1"), Released: []wire.Release{{Record: record("mx1")}}, Superseded: []event.Record{record("mx1")}}
	var names hostNames
	names.attribute(&f, "mx2")
	for what, got := range map[string]string{"record": f.Record.Host, "released": f.Released[0].Record.Host, "superseded": f.Superseded[0].Host} {
		if got != "mx2/mx1" {
			t.Errorf("%s: got %q, want that mx2 says it", what, got)
		}
	}
}
