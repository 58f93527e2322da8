package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
)

// The lines about the way of mails come in the order of the times of all logs, each
// once, wherever blocks end; and the records come as they do without.
func TestFlowsComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sources []archive.Input
		var all []place
		for i := range rapid.IntRange(1, 4).Draw(t, "sources") {
			n := named{name: fmt.Sprint(i)}
			second, number := 0, 0
			for range rapid.IntRange(0, 4).Draw(t, "blocks") {
				var block strings.Builder
				for range rapid.IntRange(1, 6).Draw(t, "lines") {
					second += rapid.IntRange(0, 4).Draw(t, "pause")
					number++
					all = append(all, place{second, i, number})
					stamp := time.Date(2026, 6, 3, 4, 0, second, 0, time.UTC).Format(time.RFC3339)
					switch rapid.IntRange(0, 2).Draw(t, "kind") {
					case 0: // a record and a line about the way of a mail
						fmt.Fprintf(&block, "%s mx%d postfix/smtpd[%d]: connect from a.example[192.0.2.1]\n", stamp, i, number)
					case 1: // no record
						fmt.Fprintf(&block, "%s mx%d postfix/qmgr[%d]: AABBCC1: removed\n", stamp, i, number)
					default: // no mail
						fmt.Fprintf(&block, "%s mx%d dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, mpid=%d, TLS, session=<s%d>\n", stamp, i, number, number)
						all = all[:len(all)-1]
					}
				}
				n.text = append(n.text, block.String())
			}
			sources = append(sources, n)
		}
		slices.SortStableFunc(all, func(a, b place) int { return a.latest - b.latest })
		var got []place
		with, without := 0, 0
		_, err := Run(t.Context(), sources, Options{Zone: time.UTC, Result: func(string, *engine.Result) { with++ }, Flow: func(at *event.Logged, _ *event.Flow) {
			source := int(at.Host[2] - '0')
			got = append(got, place{at.Time.Second() + 60*at.Time.Minute(), source, at.PID})
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), sources, Options{Zone: time.UTC, Result: func(string, *engine.Result) { without++ }}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, all) || with != without {
			t.Fatalf("got %v and %d records, want %v and %d", got, with, all, without)
		}
	})
}
