package daily

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/wire"
)

// mailsOfADay are mails, refusals and connections, with each form of stamp.
func mailsOfADay(stamp func(at time.Time) string) []string {
	var lines []string
	at := time.Date(2026, 11, 28, 9, 0, 0, 1001, time.UTC)
	say := func(daemon, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%s mx1 postfix/%s: %s", stamp(at), daemon, fmt.Sprintf(format, args...)))
		at = at.Add(70 * time.Millisecond)
	}
	for i := range 60 {
		client := fmt.Sprintf("a.example[203.0.113.%d]", i%7+1)
		say("smtpd[1]", "AAA%03dF: client=%s", i, client)
		say("cleanup[2]", "AAA%03dF: message-id=<%d@a.example>", i, i)
		say("qmgr[3]", "AAA%03dF: from=<s@a.example>, size=%d, nrcpt=1 (queue active)", i, 1000+i)
		say("lmtp[4]", "AAA%03dF: to=<bob@example.org>, relay=mx1[private/lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=%s (answer)", i, []string{"sent", "deferred", "bounced"}[i%3])
		say("qmgr[3]", "AAA%03dF: removed", i)
		for range min(3, i/5) { // a client that repeats itself
			say("smtpd[5]", "NOQUEUE: reject: RCPT from %s: 554 5.7.1 <x@y.example>: Relay access denied; from=<s@a.example> to=<x@y.example> proto=ESMTP helo=<h>", client)
		}
		say("smtpd[6]", "connect from %s", client)
		say("smtpd[6]", "warning: %s: SASL LOGIN authentication aborted", client)
		say("smtpd[6]", "disconnect from %s ehlo=1 auth=1/2 commands=2/3", client)
	}
	return lines
}

func exactStamp(at time.Time) string { return at.Format("2006-01-02T15:04:05.000000Z07:00") }
func shortStamp(at time.Time) string { return at.Format("2006-01-02T15:04:05Z07:00") }

// A log that holds each line twice, line by line or second by second, counts once.
func TestLinesThatALogHoldsTwice(t *testing.T) {
	for name, stamp := range map[string]func(time.Time) string{"exact stamps": exactStamp, "full seconds": shortStamp} {
		lines := mailsOfADay(stamp)
		var each, bySecond []string
		for i, line := range lines {
			each = append(each, line, line)
			if i+1 == len(lines) || stampOf(lines[i+1])[:19] != stampOf(line)[:19] {
				second := lines[len(bySecond)/2 : i+1]
				bySecond = append(append(bySecond, second...), second...)
			}
		}
		want := stored(t, figuresOf(t, lines))
		for order, twice := range map[string][]string{"line by line": each, "second by second": bySecond} {
			if diff := cmp.Diff(want, stored(t, figuresOf(t, twice))); diff != "" {
				t.Errorf("%s, %s (-once +twice):\n%s", name, order, diff)
			}
		}
	}
	exact := mailsOfADay(exactStamp)
	if diff := cmp.Diff(stored(t, figuresOf(t, exact)), stored(t, figuresOf(t, append(append(exact[:0:0], exact...), exact[len(exact)-1])))); diff != "" {
		t.Errorf("the last line twice (-once +twice):\n%s", diff)
	}
}

func stampOf(line string) string {
	stamp, _, _ := strings.Cut(line, " ")
	return stamp
}

// A client that does the same twice within a second, or two hosts that log the same, count
// twice.
func TestEqualLinesThatAreNoCopies(t *testing.T) {
	const reject = " postfix/smtpd[5]: NOQUEUE: reject: RCPT from a.example[203.0.113.7]: 554 5.7.1 <x@y.example>: Relay access denied; from=<s@a.example> to=<x@y.example> proto=ESMTP helo=<h>"
	for name, lines := range map[string][]string{
		"within a second":      {"2026-11-28T09:00:00+00:00 mx1" + reject, "2026-11-28T09:00:00+00:00 mx1" + reject},
		"within a millisecond": {"2026-11-28T09:00:00.000001+00:00 mx1" + reject, "2026-11-28T09:00:00.000002+00:00 mx1" + reject},
		"milliseconds":         {"2026-11-28T09:00:00.123+00:00 mx1" + reject, "2026-11-28T09:00:00.123+00:00 mx1" + reject},
		"two hosts":            {"2026-11-28T09:00:00.000001+00:00 mx1" + reject, "2026-11-28T09:00:00.000001+00:00 mx2" + reject},
		"two processes":        {"2026-11-28T09:00:00.000001+00:00 mx1" + reject, "2026-11-28T09:00:00.000001+00:00 mx1" + strings.Replace(reject, "[5]", "[6]", 1)},
		"two texts":            {"2026-11-28T09:00:00.000001+00:00 mx1" + reject, "2026-11-28T09:00:00.000001+00:00 mx1" + strings.Replace(reject, "Relay", "Other", 1)},
		"two clients":          {"2026-11-28T09:00:00.000001+00:00 mx1" + reject, "2026-11-28T09:00:00.000001+00:00 mx1" + strings.Replace(reject, "113.7", "113.8", 1)},
		"a line that repeats":  {"2026-11-28T09:00:00.000001+00:00 mx1 postfix/smtpd[5]: message repeated 2 times: [" + strings.TrimPrefix(reject, " postfix/smtpd[5]:") + "]"},
	} {
		if got := figuresOf(t, lines).Rejected(); got != 2 {
			t.Errorf("%s: got %d refusals, want 2", name, got)
		}
	}
}

// doubledOnce is a queue file that a log with full seconds holds twice.
const doubledOnce = "2026-11-28T09:00:00+00:00 mx1 postfix/smtpd[5]: AAAAAA1: client=a.example[203.0.113.7]"

// refusals are n lines of one second.
func refusals(at time.Time, n int, format string, args ...any) (lines []string) {
	who := fmt.Sprintf(format, args...)
	for range n {
		lines = append(lines, shortStamp(at)+" mx1 postfix/smtpd[5]: NOQUEUE: reject: RCPT from a.example[203.0.113.7]: 554 5.7.1 <x@y.example>: Relay access denied; from=<"+who+"@a.example> to=<x@y.example> proto=ESMTP helo=<h>")
	}
	return lines
}

// A log that held lines twice for a time only counts each line after it.
func TestALogIsDoubledForATime(t *testing.T) {
	for name, tt := range map[string]struct{ single, each, want int }{
		"goes on":                      {0, 2, 40},
		"a few lines that came late":   {200, 2, 240},
		"ended":                        {mostSingle + 1, 2, mostSingle + 1 + 80},
		"ended, and a client repeated": {mostSingle + 1, 4, mostSingle + 1 + 160},
	} {
		at := time.Date(2026, 11, 28, 9, 0, 1, 0, time.UTC)
		lines := []string{doubledOnce, doubledOnce}
		for i := range tt.single {
			lines = append(lines, refusals(at, 1, "s%d", i)...)
		}
		for i := range 40 {
			at = at.Add(time.Second)
			lines = append(lines, refusals(at, tt.each, "t%d", i)...)
		}
		if got := figuresOf(t, lines).Rejected(); got != tt.want {
			t.Errorf("%s: got %d refusals, want %d", name, got, tt.want)
		}
	}
}

// A doubled log counts once also after a restart, and once its mails have left the queue.
func TestALogStaysDoubled(t *testing.T) {
	for name, pause := range map[string]time.Duration{"at once": time.Second, "after a pause": 2 * time.Hour} {
		f := NewFigures()
		o := Options{At: func(time.Time) *Figures { return f }}
		tracker := NewTracker(o)
		at := time.Date(2026, 11, 28, 9, 0, 1, 0, time.UTC)
		addLines(tracker, nil, doubledOnce, doubledOnce, "2026-11-28T09:00:00+00:00 mx1 postfix/qmgr[3]: AAAAAA1: removed")
		for i := range 20 {
			if at = at.Add(time.Second); i == 5 {
				at = at.Add(pause)
			}
			addLines(tracker, nil, refusals(at, 2, "t%d", i)...)
			if i == 10 {
				tracker = restarted(t, tracker, o)
			}
		}
		if got := f.Rejected(); got != 20 {
			t.Errorf("%s: got %d refusals, want 20", name, got)
		}
	}
}

// restarted returns a Tracker that goes on where another left off.
func restarted(t *testing.T, tracker *Tracker, o Options) *Tracker {
	t.Helper()
	var state []byte
	w := wire.NewFrames(func(piece []byte) { state = append(state, piece...) })
	tracker.Write(w)
	w.Close()
	next, err := wire.Whole(state)()
	if err != nil {
		t.Fatal(err)
	}
	again := NewTracker(o)
	r := again.Reader()
	err = wire.ReadFrames(next, func(kind uint8, c *wire.Codec) {
		if !r.Entry(kind, c) {
			t.Errorf("an entry of kind %d is not known", kind)
		}
	})
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return again
}
