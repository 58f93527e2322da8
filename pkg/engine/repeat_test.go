package engine

import (
	"testing"

	"csmail/pkg/event"
)

func TestRepeater(t *testing.T) {
	const (
		head   = "Jun  3 04:11:09 mail "
		failed = head + "postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x"
		three  = "Jun  3 04:11:39 mail last message repeated 3 times"
	)
	tests := map[string]struct {
		lines []string
		n     int // attempts of the last line, 0 if it is no event
	}{
		"a failed login":        {[]string{failed, three}, 3},
		"still the same":        {[]string{failed, three, "Jun  3 04:11:59 mail last message repeated 2 times"}, 2},
		"once":                  {[]string{failed, head + "last message repeated 1 time"}, 1},
		"of several":            {[]string{head + "dovecot: imap-login: Disconnected (auth failed, 2 attempts in 3 secs): user=<a>, rip=192.0.2.1, lip=x", three}, 6},
		"another line between":  {[]string{failed, head + "postfix/qmgr[1]: x", three}, 0},
		"another host":          {[]string{failed, "Jun  3 04:11:39 mx2 last message repeated 3 times"}, 0},
		"of a witness":          {[]string{head + "postfix/smtpd[1]: connect from a[192.0.2.1]", three}, 0},
		"of nothing":            {[]string{three}, 0},
		"no number":             {[]string{failed, head + "last message repeated x times"}, 0},
		"too large a number":    {[]string{failed, head + "last message repeated 70000 times"}, 0},
		"somebody's own words":  {[]string{failed, head + "logger: last message repeated 3 times"}, 0},
		"a client's own words":  {[]string{failed, head + "postfix/smtpd[1]: last message repeated 3 times"}, 0},
		"more than is repeated": {[]string{failed, head + "last message repeated 3 times and more"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var p Repeater
			var r event.Record
			for i, text := range tt.lines {
				r = parse(text)
				r.Line = int64(i + 1)
				p.Take(&r)
				if i == 0 {
					p.Clone() // as at the end of a block
				}
			}
			if got := r.Attempts; (r.Outcome == event.Noted) != (tt.n > 0) || tt.n > 0 && (got != tt.n || r.Line != int64(len(tt.lines)) || r.Addr.String() != "192.0.2.1") {
				t.Errorf("%s, %d attempts, line %d, %s", r.Outcome, got, r.Line, r.Addr)
			}
		})
	}
}

func TestPours(t *testing.T) {
	for name, tt := range map[string]struct {
		outcome          event.Outcome
		attempts         int
		folded, repeated bool
		want             int
	}{
		"an event":       {event.Noted, 1, false, false, 1},
		"three attempts": {event.Noted, 3, false, false, 3},
		"a thousand":     {event.Noted, 1000, false, false, maxPours},
		"folded":         {event.Noted, 3, true, false, 0},
		"repeated":       {event.Noted, 3, false, true, 0},
		"a witness":      {event.Witness, 3, false, false, 0},
	} {
		r := Result{Record: &event.Record{Outcome: tt.outcome}, Folded: tt.folded, Repeated: tt.repeated}
		r.Attempts = tt.attempts
		if got := r.Pours(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
