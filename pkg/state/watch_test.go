package state

import (
	"strings"
	"testing"
	"time"
)

// watched returns the numbers of the alerts that are watched.
func watched(t *testing.T, s *Store) string {
	t.Helper()
	list, err := s.Running(nil, 100)
	must(t, err)
	var numbers []string
	for _, told := range list {
		numbers = append(numbers, told.Number)
	}
	return strings.Join(numbers, " ")
}

// deliver has alerts 1 to n delivered, and looked at: the ban of alert i ends i hours
// after now.
func deliver(t *testing.T, s *Store, n int) []HistoryEntry {
	t.Helper()
	must(t, s.Commit(Batch{Alerts: entries(1, n)}))
	for i := range n {
		must(t, s.Settle([]Settlement{{Seq: uint64(i + 1), Number: string(rune('1' + i)), At: now.Add(time.Duration(i) * time.Second)}}))
	}
	list, err := s.Running(nil, 100)
	must(t, err)
	for i, told := range list {
		must(t, s.Looked(told, now, []Ban{{ID: int64(i), Until: now.Add(time.Duration(i+1) * time.Hour)}}))
	}
	list, err = s.Running(nil, 100)
	must(t, err)
	return list
}

// What was over by a clock that was ahead is watched again, what ended otherwise is
// not, and what is over for good neither.
func TestRevive(t *testing.T) {
	s := open(t, path(t), Options{})
	list := deliver(t, s, 4)
	must(t, s.Over(list[0]))
	must(t, s.Over(list[1]))
	must(t, s.Ended(list[2]))
	must(t, s.Over(list[2])) // too late
	if got := watched(t, s); got != "4" {
		t.Errorf("watched: %s, want 4", got)
	}
	if next, err := s.Running(&list[0], 1); err != nil || len(next) != 1 || next[0].Number != "4" {
		t.Errorf("after the first: %+v, %v, want 1 next, Number 4", next, err)
	}
	s = reopen(t, s, Options{})
	if n, err := s.Revive(now.Add(2 * time.Hour)); n != 0 || err != nil {
		t.Errorf("%d revived, %v, want 0", n, err)
	}
	if n, err := s.Revive(now.Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d revived, %v, want 1", n, err)
	}
	if got := watched(t, s); got != "2 4" {
		t.Errorf("watched: %s, want \"2 4\"", got)
	}
	if n, err := s.Revive(now.Add(-time.Hour)); n != 1 || err != nil {
		t.Errorf("%d revived, %v, want 1", n, err)
	}
	if got := watched(t, s); got != "1 2 4" {
		t.Errorf("watched: %s, want \"1 2 4\"", got)
	}
}

// A clock that is years ahead does not make running bans forgotten; more of them than
// the outbox holds lose the oldest.
func TestPruneSparesWhatRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		room int
		want string
	}{"room": {10, "2 3 4"}, "just room": {3, "2 3 4"}, "too many": {2, "3 4"}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, path(t), Options{MaxPending: 10})
			list := deliver(t, s, 4)
			must(t, s.Over(list[0]))
			s = reopen(t, s, Options{MaxPending: tt.room})
			must(t, s.Prune(now.AddDate(10, 0, 0)))
			if got := watched(t, s); got != tt.want {
				t.Errorf("watched %q, want %q", got, tt.want)
			}
			recent, err := s.Recent(10)
			if must(t, err); len(recent) != len(strings.Fields(tt.want)) {
				t.Errorf("%d in the history, want %d recent", len(recent), len(strings.Fields(tt.want)))
			}
		})
	}
}
