package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// offencesOf returns the kinds of the offences that a log comes to, once for each attempt.
func offencesOf(lines ...string) (all []string) {
	join := NewJoin(event.HashKey{})
	add := func(r *event.Record, n int) {
		for range n {
			if isOffence(r) {
				all = append(all, r.Kind.String())
			}
		}
	}
	take := func(r Result) {
		for i := range r.Released() {
			add(&r.Released()[i].Record, r.Released()[i].Record.Attempts)
		}
		if r.Record != nil {
			add(r.Record, r.Pours())
		}
	}
	for _, line := range lines {
		r := parse("Jun  3 04:11:09 mail " + line)
		take(join.Take(&r))
	}
	take(join.End(time.Date(2026, 6, 3, 5, 0, 0, 0, time.UTC)))
	return all
}

// A refusal by csmail is no offence, and a wrong password is one, in whatever order
// Dovecot's processes log them.
func TestOwnRefusalInBothOrders(t *testing.T) {
	const client = "user=<bob>, method=PLAIN, rip=192.0.2.66, lip=192.0.2.1, TLS, session=<S1>"
	const sasl = "postfix/submission/smtpd[7]: warning: unknown[192.0.2.66]: SASL PLAIN authentication failed: "
	for name, c := range map[string]struct{ end, refusal, wrong string }{
		"IMAP, 2.3": {
			"dovecot: imap-login: Disconnected: Aborted login by logging out (auth failed, 1 attempts in 2 secs): " + client,
			"dovecot: auth: policy(bob,192.0.2.66,<S1>): Authentication failure due to policy server refusal: CrowdSec decision 7 on your address",
			"dovecot: auth: passwd-file(bob,192.0.2.66,<S1>): Password mismatch",
		},
		"IMAP, 2.4": {
			"dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 2 secs) (auth_failed): " + client,
			"dovecot: auth(bob,192.0.2.66,sasl:plain)<S1>: policy: Authentication failure due to policy server refusal: CrowdSec decision 7 on your address",
			"dovecot: auth(bob,192.0.2.66,sasl:plain)<S1>: passwd-file: Password mismatch",
		},
		"POP3, 2.4": {
			"dovecot: pop3-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): " + client,
			"dovecot: auth(bob,192.0.2.66,sasl:plain)<S1>: policy: Authentication failure due to policy server refusal: CrowdSec decision 7 on this account",
			"dovecot: auth(bob,192.0.2.66,sasl:plain)<S1>: passwd-file: Password mismatch",
		},
		"Dovecot's submission, 2.3": {
			"dovecot: submission-login: Disconnected (auth failed, 1 attempts in 2 secs): " + client,
			"dovecot: auth: policy(bob,192.0.2.66,<S1>): Authentication failure due to policy server refusal: CrowdSec decision 7 on your address",
			"dovecot: auth: passwd-file(bob,192.0.2.66,<S1>): Password mismatch",
		},
		"Postfix's submission, 2.3": {
			"", "dovecot: auth: policy(bob,192.0.2.66): Authentication failure due to policy server refusal: CrowdSec decision 7 on your address", "dovecot: auth: passwd-file(bob,192.0.2.66): Password mismatch",
		},
		"Postfix's submission, 2.4": {
			"", "dovecot: auth(bob,192.0.2.66,sasl:plain): policy: Authentication failure due to policy server refusal: CrowdSec decision 7 on your address", "dovecot: auth(bob,192.0.2.66,sasl:plain): passwd-file: Password mismatch",
		},
	} {
		for _, own := range []bool{true, false} {
			end, reason, want := c.end, c.wrong, []string{"auth-failed"}
			if own {
				reason, want = c.refusal, nil
			}
			if end == "" {
				end = sasl + "(reason unavailable), sasl_username=bob"
				if own {
					end = sasl + "CrowdSec decision 7 on your address, sasl_username=bob"
				}
			}
			for _, order := range [][]string{{reason, end}, {end, reason}} {
				order = append([]string{"dovecot: auth: policy(eve,192.0.2.67,<S0>): Authentication failure due to policy server refusal: CrowdSec decision 6 on your address"}, order...)
				if got := offencesOf(order...); !slices.Equal(got, want) {
					t.Errorf("%s: got the offences %v, want %v of\n%s", name, got, want, strings.Join(order, "\n"))
				}
			}
		}
	}
}
