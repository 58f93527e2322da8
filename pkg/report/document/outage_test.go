package document

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	unanswered = "warning: hostname c.example does not resolve to address 198.51.100.7: Temporary failure in name resolution"
	noName     = "NOQUEUE: reject: RCPT from unknown[198.51.100.%d]: 450 4.7.25 Client host rejected: cannot find your hostname, [198.51.100.%[1]d]; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>"
)

// outageLines is a log in which the resolver fails at some times, and hosts of a network
// that has brought mail are refused at others.
func outageLines(faults, refusals []time.Duration) []string {
	lines := append(connects(0, 24),
		lineAt(9*hour, "postfix/smtpd[5]", "AAAAAA1: client=mail.d.example[198.51.100.9]"),
		lineAt(9*hour+second, "postfix/qmgr[8]", "AAAAAA1: from=<a@d.example>, size=1000, nrcpt=1 (queue active)"))
	for _, at := range faults {
		lines = append(lines, lineAt(at, "postfix/smtpd[6]", "%s", unanswered))
	}
	for i, at := range refusals {
		lines = append(lines, lineAt(at, "postfix/smtpd[7]", noName, 10+i%5))
	}
	slices.Sort(lines)
	return lines
}

// every returns the times from one to another.
func every(step, from, to time.Duration) (all []time.Duration) {
	for at := from; at <= to; at += step {
		all = append(all, at)
	}
	return all
}

// The resolver's outage goes on over the border of an hour: the daemon says of the day,
// and of the hours alone, what the log says, also if it was restarted in between.
func TestOutageOverTheHour(t *testing.T) {
	for name, tt := range map[string]struct {
		faults, refusals []time.Duration
		late             []string // lines at the end of the log
		refused          int      // because of the outage
		provider         int      // those that count against the network
	}{
		"in the hour before":    {[]time.Duration{10*hour + 59*minute}, every(minute, 11*hour, 11*hour+8*minute), nil, 9, 0},
		"on both sides":         {every(minute, 10*hour+56*minute, 11*hour+2*minute), every(minute, 10*hour+57*minute, 11*hour+12*minute), nil, 16, 0},
		"just before the hour":  {[]time.Duration{11*hour - time.Millisecond}, every(minute, 11*hour, 11*hour+9*minute), nil, 10, 0},
		"at the hour":           {[]time.Duration{11 * hour}, every(minute, 11*hour+minute, 11*hour+10*minute), nil, 10, 0},
		"ended in the new hour": {[]time.Duration{10*hour + 55*minute}, every(minute, 11*hour, 11*hour+12*minute), nil, 6, 7},
		"ended before the hour": {[]time.Duration{10*hour + 45*minute}, every(minute, 11*hour, 11*hour+8*minute), nil, 0, 9},
		"after the refusals":    {[]time.Duration{11 * hour}, every(minute, 10*hour+50*minute, 10*hour+59*minute), nil, 0, 10},
		"two outages":           {[]time.Duration{9*hour + 59*minute, 11*hour + 58*minute}, append(every(minute, 10*hour+20*minute, 10*hour+29*minute), 10*hour, 12*hour), nil, 2, 10},
		"over midnight":         {[]time.Duration{-minute}, every(minute, 0, 8*minute), nil, 9, 0},
		"a clock was ahead": {
			[]time.Duration{11*hour - minute},
			every(minute, 11*hour, 11*hour+8*minute),
			[]string{lineAt(900*hour, "postfix/smtpd[6]", "%s", unanswered), lineAt(23*hour+10*minute, "postfix/smtpd[7]", noName, 12)},
			9, 0,
		},
	} {
		lines := append(outageLines(tt.faults, tt.refusals), tt.late...)
		since, until := day("2026-11-28")
		windows := [][2]time.Time{{since, until}}
		for _, at := range []time.Duration{0, 10 * hour, 11 * hour, 12 * hour} {
			windows = append(windows, [2]time.Time{since.Add(at), since.Add(at + hour)})
		}
		var want []string
		for _, window := range windows {
			want = append(want, ofWindow(t, lines, window[0], window[1]))
		}
		for run, step := range map[string]int{"one run": 1 << 20, "a restart at times": 7, "a restart at each line": 1} {
			k, r := newKeeper(t), newReader()
			for i, line := range lines {
				if k.read(r, line); i%step == step-1 {
					k.restart()
				}
			}
			for i, window := range windows {
				if diff := cmp.Diff(want[i], asText(t, k.report(window[0], window[1]))); diff != "" {
					t.Errorf("%s, %s, from %s to %s (-log +daemon):\n%s", name, run, window[0], window[1], diff)
				}
			}
			d := k.report(since, until)
			refused, provider := 0, 0
			for _, f := range d.Findings {
				if _, said, ok := strings.Cut(f.Detail, "for want of a name: "); ok {
					fmt.Sscan(said, &refused)
				}
				if f.ID == "provider-refused" {
					provider = f.Count
				}
			}
			if refused != tt.refused || provider != tt.provider {
				t.Errorf("%s, %s: got %d refused in the outage and %d of a provider, want %d and %d", name, run, refused, provider, tt.refused, tt.provider)
			}
		}
	}
}
