package scenario

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"csmail/pkg/event"
)

// benchLog is how many events a benchmark pours before it begins again, a power
// of two.
const benchLog = 1 << 18

// dayLog is what a busy mail host pours in a day, a quarter of a million offences,
// each once: half of them guesses at passwords, from sources of which few come
// often and most once or twice. One address in ten is of IPv6.
func dayLog(sources int) []event.Event {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := slices.Concat(
		slices.Repeat([]event.Kind{event.AuthFailed}, 50), slices.Repeat([]event.Kind{event.LostConnection, event.NoHostname, event.HostnameMismatch}, 6),
		slices.Repeat([]event.Kind{event.NoAuth, event.Hangup, event.RecipientUnknown}, 4), slices.Repeat([]event.Kind{event.Pregreet, event.DNSBLListed, event.RelayDenied}, 3),
		slices.Repeat([]event.Kind{event.TLSError, event.RateLimited}, 3), []event.Kind{event.HeloRejected, event.NonSMTP, event.AccessDenied, event.AuthAborted, event.SenderRejected},
	)
	who, account := rand.NewZipf(r, 1.1, 20, uint64(sources-1)), rand.NewZipf(r, 1.2, 10, 900)
	list := make([]event.Event, benchLog)
	for i := range list {
		k, n := kinds[r.IntN(len(kinds))], uint32(who.Uint64())
		ev := event.Event{
			Time: start.Add(time.Duration(i) * 24 * time.Hour / benchLog), Service: event.Postfix, Program: "postfix/smtpd", PID: 1000 + i%100, Kind: k,
			Addr: source(n), Host: "mx", ClientName: "unknown", Attempts: 1, Message: k.Example(),
		}
		switch k {
		case event.AuthFailed:
			ev.User, ev.Mechanism = fmt.Sprintf("user%d@example.org", account.Uint64()), "LOGIN"
			if r.IntN(10) == 0 {
				ev.Service, ev.Program, ev.Reason = event.Dovecot, "dovecot/auth", "unknown user"
			}
		case event.NoAuth:
			ev.Service, ev.Program = event.Dovecot, "dovecot/imap-login"
		case event.RecipientUnknown:
			ev.Recipient = fmt.Sprintf("name%d@example.org", r.IntN(500))
		case event.Hangup, event.Pregreet:
			ev.Service, ev.Program = event.Postscreen, "postfix/postscreen"
		}
		list[i] = ev
	}
	return list
}

// source spreads numbers over the address space, so that neighbours are rare but
// do happen.
func source(n uint32) netip.Addr {
	mixed := n * 2654435761
	if n%10 == 0 {
		raw := [16]byte{0x20, 0x01, 0x0d, 0xb8}
		binary.BigEndian.PutUint32(raw[4:], mixed)
		return netip.AddrFrom16(raw)
	}
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], 1<<24|mixed>>8)
	return netip.AddrFrom4(raw)
}

// stormLog is far worse than a day: two hundred events a second, in which every
// twentieth or so overflows a bucket, with some successes among them.
func stormLog(sources int) []event.Event {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []event.Kind{
		event.AuthFailed, event.AuthFailed, event.AuthFailed, event.AuthFailed, event.NoHostname, event.HostnameMismatch,
		event.RelayDenied, event.RecipientUnknown, event.LostConnection, event.LostConnection, event.Pregreet, event.NoAuth,
		event.LoginOK, event.AuthMailOK, event.Hangup, event.TLSError, event.DNSBLListed, event.HeloRejected,
	}
	users := []string{"bob@example.com", "info", "admin@example.org", "alice@example.com", "test"}
	list := make([]event.Event, benchLog)
	for i := range list {
		k := kinds[r.IntN(len(kinds))]
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], 0x0a000000+uint32(float64(sources)*r.Float64()*r.Float64())*7)
		service := event.Postfix
		if k == event.NoAuth || k == event.LoginOK {
			service = event.Dovecot
		}
		list[i] = event.Event{
			Time: start.Add(time.Duration(i) * 5 * time.Millisecond), Service: service, Program: "postfix/smtpd", PID: i % 100, Kind: k,
			Addr: netip.AddrFrom4(raw), Host: "mx", ClientName: "unknown", Attempts: 1, Message: k.Example(),
		}
		if k == event.AuthFailed {
			list[i].User = users[r.IntN(len(users))]
		}
	}
	return list
}

// balanced and strict are the files of the sets that csmail brings along.
func balanced() []string {
	var files []string
	for _, name := range []string{
		"account-under-attack", "auth-bf", "auth-slow-bf", "auth-spray", "dead-account", "protocol-abuse", "range-bf",
		"rejected-client", "relay-probe", "spambot", "user-harvesting",
	} {
		files = append(files, "scenarios/csmail/"+name+".yaml")
	}
	return files
}

func strict() []string {
	return append(balanced(), "scenarios/csmail/strict-auth.yaml", "scenarios/csmail/strict-names.yaml", "scenarios/csmail/strict-rejects.yaml")
}

// loadFiles loads scenario files of the repository.
func loadFiles(tb testing.TB, files ...string) *Set {
	tb.Helper()
	set, err := Load(os.DirFS("../.."), files...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// shipped are the scenarios of the default, and four as the hub writes them.
func shipped(tb testing.TB) *Set {
	tb.Helper()
	return loadFiles(tb, append(balanced(), "pkg/scenario/testdata/hub.yaml")...)
}

// BenchmarkPour pours a day, and a storm, into the scenarios that csmail brings
// along: with the evidence of what overflows, and without, as for a scan that tells
// nobody. The set hub is the default with four scenarios as CrowdSec's hub writes
// them.
func BenchmarkPour(b *testing.B) {
	logs := []struct {
		name string
		make func(sources int) []event.Event
	}{{"day", dayLog}, {"storm", stormLog}}
	sets := []struct {
		name string
		set  *Set
	}{{"balanced", loadFiles(b, balanced()...)}, {"strict", loadFiles(b, strict()...)}, {"hub", shipped(b)}}
	tells := []struct {
		name  string
		texts int
	}{{"evidence", 0}, {"nobody", NoEvidence}}
	for _, log := range logs {
		for _, sources := range []int{1000, 20_000, 200_000} {
			events := log.make(sources)
			for _, set := range sets {
				for _, told := range tells {
					name := fmt.Sprintf("log=%s/sources=%d/set=%s/told=%s", log.name, sources, set.name, told.name)
					b.Run(name, func(b *testing.B) { benchmarkPour(b, set.set, events, told.texts) })
				}
			}
		}
	}
}

func benchmarkPour(b *testing.B, set *Set, log []event.Event, texts int) {
	e := New(set, Limits{Texts: texts})
	overflows, turn := 0, time.Duration(0)
	span := log[len(log)-1].Time.Sub(log[0].Time) + time.Second
	b.ReportAllocs()
	b.ResetTimer()
	used := processorTime(b)
	for i := range b.N {
		ev := &log[i&(benchLog-1)]
		if i > 0 && i&(benchLog-1) == 0 {
			turn += span
		}
		at := ev.Time
		ev.Time = at.Add(turn)
		overflows += len(e.Pour(ev))
		ev.Time = at
	}
	b.ReportMetric(float64(b.N)/(processorTime(b)-used).Seconds(), "events/cpu-s")
	b.ReportMetric(float64(overflows)/float64(b.N), "overflows/event")
	b.ReportMetric(float64(e.Stats().Sources), "tracked")
}

// processorTime is what this process has used of all cores, so that a busy machine
// does not spoil the figure.
func processorTime(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
