package state

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// BenchmarkCommit commits what two seconds of 50,000 lines a second are at most:
// every line an input. It must take well under two seconds.
func BenchmarkCommit(b *testing.B) {
	s, err := Open(b.TempDir()+"/csmail.db", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	inputs := make([]Input, 100_000)
	for n := range inputs {
		addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
		inputs[n] = Input{Source: "/var/log/mail.log", Record: &event.Record{Outcome: event.Noted, Line: int64(n), Event: event.Event{
			Time: time.Unix(1780000000, int64(n)*20_000), Host: "mx1", Service: event.Dovecot, Program: "dovecot/imap-login", PID: 1000 + n%500,
			Kind: event.AuthFailed, Addr: addr, User: fmt.Sprintf("user%d@example.org", n*7919%100_003), Mechanism: "PLAIN",
			Session: fmt.Sprintf("%016x", uint64(n)*2654435761), Attempts: 1,
			Message: fmt.Sprintf("imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<user%d@example.org>, method=PLAIN, rip=%s, "+
				"lip=192.0.2.1, TLS, session=<%016x>", n*7919%100_003, addr, uint64(n)*2654435761),
		}}}
	}
	for b.Loop() {
		if err := s.Commit(Batch{Inputs: inputs, Cursors: map[string]string{"mail.log": "1"}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(s.Stats().JournalBytes)/float64(b.N)/float64(len(inputs)), "stored-B/input")
	b.ReportMetric(float64(len(inputs)*b.N)/b.Elapsed().Seconds(), "inputs/s")
}
