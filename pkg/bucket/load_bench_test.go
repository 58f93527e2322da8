package bucket

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
	"csmail/pkg/scenario"
)

// benchLog is how many events a benchmark pours before it begins again, a power
// of two.
const benchLog = 1 << 18

// offence is an event of a benchmark's log, from which the event is made only when
// it is poured: a log of whole events would take more memory than the buckets.
type offence struct {
	after     time.Duration // the start of the log
	addr      netip.Addr
	text      uint16 // which account or recipient
	pid       uint16
	kind      event.Kind
	service   event.Service
	isUnknown bool // Dovecot says that the account does not exist
}

// texts of the accounts and recipients of a benchmark.
type benchTexts struct{ accounts, recipients []string }

func newBenchTexts() *benchTexts {
	t := &benchTexts{}
	for i := range 900 {
		t.accounts = append(t.accounts, fmt.Sprintf("user%d@example.org", i))
		t.recipients = append(t.recipients, fmt.Sprintf("name%d@example.org", i))
	}
	return t
}

// fill makes ev the event of o in a log that starts at start.
func (t *benchTexts) fill(ev *event.Event, o *offence, start time.Time) {
	*ev = event.Event{
		Time: start.Add(o.after), Service: o.service, Program: "postfix/smtpd", PID: int(o.pid), Kind: o.kind,
		Addr: o.addr, Host: "mx", ClientName: "unknown", Attempts: 1, Message: o.kind.Example(),
	}
	switch {
	case o.isUnknown:
		ev.User, ev.Mechanism, ev.Program, ev.Reason = t.accounts[o.text], "LOGIN", "dovecot/auth", "unknown user"
	case o.kind == event.AuthFailed:
		ev.User, ev.Mechanism = t.accounts[o.text], "LOGIN"
	case o.kind == event.RecipientUnknown:
		ev.Recipient = t.recipients[o.text]
	case o.service == event.Dovecot:
		ev.Program = "dovecot/imap-login"
	case o.service == event.Postscreen:
		ev.Program = "postfix/postscreen"
	}
}

// dayLog is what a busy mail host pours in a day, a quarter of a million offences,
// each once: half of them guesses at passwords, from sources of which few come
// often and most once or twice. One address in ten is of IPv6.
func dayLog(sources int) []offence {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := slices.Concat(
		slices.Repeat([]event.Kind{event.AuthFailed}, 50), slices.Repeat([]event.Kind{event.LostConnection, event.NoHostname, event.HostnameMismatch}, 6),
		slices.Repeat([]event.Kind{event.NoAuth, event.Hangup, event.RecipientUnknown}, 4), slices.Repeat([]event.Kind{event.Pregreet, event.DNSBLListed, event.RelayDenied}, 3),
		slices.Repeat([]event.Kind{event.TLSError, event.RateLimited}, 3), []event.Kind{event.HeloRejected, event.NonSMTP, event.AccessDenied, event.AuthAborted, event.SenderRejected},
	)
	who, account := rand.NewZipf(r, 1.1, 20, uint64(sources-1)), rand.NewZipf(r, 1.2, 10, 899)
	list := make([]offence, benchLog)
	for i := range list {
		o := offence{after: time.Duration(i) * 24 * time.Hour / benchLog, service: event.Postfix, pid: uint16(i % 100), kind: kinds[r.IntN(len(kinds))]}
		o.addr = source(uint32(who.Uint64()))
		switch o.kind {
		case event.AuthFailed:
			o.text = uint16(account.Uint64())
			if o.isUnknown = r.IntN(10) == 0; o.isUnknown {
				o.service = event.Dovecot
			}
		case event.NoAuth:
			o.service = event.Dovecot
		case event.RecipientUnknown:
			o.text = uint16(r.IntN(500))
		case event.Hangup, event.Pregreet:
			o.service = event.Postscreen
		}
		list[i] = o
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

// stormLog is far worse than a day: two hundred events a second, at five accounts,
// in which every twentieth or so overflows a bucket.
func stormLog(sources int) []offence {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []event.Kind{
		event.AuthFailed, event.AuthFailed, event.AuthFailed, event.AuthFailed, event.NoHostname, event.HostnameMismatch,
		event.RelayDenied, event.RecipientUnknown, event.LostConnection, event.LostConnection, event.Pregreet, event.NoAuth,
		event.LoginOK, event.AuthMailOK, event.Hangup, event.TLSError, event.DNSBLListed, event.HeloRejected,
	}
	list := make([]offence, benchLog)
	for i := range list {
		o := offence{after: time.Duration(i) * 5 * time.Millisecond, service: event.Postfix, pid: uint16(i % 100), kind: kinds[r.IntN(len(kinds))]}
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], 0x0a000000+uint32(float64(sources)*r.Float64()*r.Float64())*7)
		o.addr = netip.AddrFrom4(raw)
		switch o.kind {
		case event.NoAuth, event.LoginOK:
			o.service = event.Dovecot
		case event.AuthFailed:
			o.text = uint16(r.IntN(5))
		}
		list[i] = o
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
func loadFiles(tb testing.TB, files ...string) *scenario.Set {
	tb.Helper()
	set, err := scenario.Load(os.DirFS("../.."), files...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// shipped are the scenarios of the default, and four as the hub writes them.
func shipped(tb testing.TB) *scenario.Set {
	tb.Helper()
	return loadFiles(tb, append(balanced(), "pkg/bucket/testdata/hub.yaml")...)
}

// BenchmarkPour pours a day, and a storm, into the scenarios that csmail brings
// along: with the evidence of what overflows, and without, as for a scan that tells
// nobody. The set hub is the default with four scenarios as CrowdSec's hub writes
// them.
func BenchmarkPour(b *testing.B) {
	logs := []struct {
		name string
		make func(sources int) []offence
	}{{"day", dayLog}, {"storm", stormLog}}
	sets := []struct {
		name string
		set  *scenario.Set
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

func benchmarkPour(b *testing.B, set *scenario.Set, log []offence, limit int) {
	e, texts := New(set, Limits{Texts: limit}, event.HashKey{}), newBenchTexts()
	span := log[len(log)-1].after + time.Second
	overflows := 0
	var ev event.Event
	b.ReportAllocs()
	b.ResetTimer()
	used := processorTime(b)
	for i := range b.N {
		texts.fill(&ev, &log[i&(benchLog-1)], start.Add(time.Duration(i/benchLog)*span))
		overflows += len(e.Pour(&ev))
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
