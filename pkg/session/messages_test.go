package session

import (
	"testing"

	"csmail/pkg/event"
)

func TestMessages(t *testing.T) {
	m := &messages{most: 3}
	key := func(id string) messageKey {
		k, _ := messageKeyOf(&event.Record{Event: event.Event{Host: "mx1", Session: id}})
		return k
	}
	for _, id := range []string{"A", "B", "A", "C"} { // the first A goes, B does not
		m.put(key(id), one)
	}
	m.put(key("A"), two) // a queue ID comes again; B goes
	for id, known := range map[string]bool{"A": true, "B": false, "C": true, "D": false} {
		if got := m.get(key(id)); got.IsValid() != known || id == "A" && got != two {
			t.Errorf("%s: %s", id, got)
		}
	}
	if _, ok := messageKeyOf(&event.Record{Event: event.Event{Session: "4Zk1Yq2Lz3z9v4Zk1Yq2Lz3z9v"}}); ok {
		t.Error("a queue ID that is none has a key")
	}
}
