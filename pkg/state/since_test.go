package state

import (
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"csmail/pkg/wire"
)

// Only alerts that the LAPI has are read whole, and a damaged one is an error all the same.
func TestEachDelivered(t *testing.T) {
	s := open(t, path(t), Options{MaxPending: 3})
	must(t, s.Commit(Batch{Alerts: entries(1, 5)})) // two find no room
	must(t, s.Settle([]Settlement{{Seq: 3, Number: "3", At: now}, {Seq: 4, Status: HeldBack, At: now}, {Seq: 5, Number: "5", At: now.Add(time.Hour)}}))
	numbers := func(each func(time.Time, func(*HistoryEntry)) error, from time.Time) (got []string) {
		t.Helper()
		must(t, each(from, func(e *HistoryEntry) { got = append(got, e.Status.String()+" "+e.Alert.Value()) }))
		slices.Sort(got)
		return got
	}
	if got := numbers(s.EachSince, time.Time{}); len(got) != 5 {
		t.Errorf("got %q, want all five", got)
	}
	if got, want := numbers(s.EachDelivered, time.Time{}), []string{"delivered 192.0.2.3", "delivered 192.0.2.5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := numbers(s.EachDelivered, now.Add(time.Minute)), []string{"delivered 192.0.2.5"}; !slices.Equal(got, want) {
		t.Errorf("later: got %q, want %q", got, want)
	}
	must(t, s.update("test", func(tx *bolt.Tx, _ *change) error {
		return tx.Bucket(historyBucket).Put(timeKey(now, "x"), seal(timeKey(now, "x"), []byte{wire.StoredVersion, 0, 0, 99}))
	}))
	if err := s.EachDelivered(time.Time{}, func(*HistoryEntry) {}); err == nil {
		t.Error("a damaged entry is passed over")
	}
}
