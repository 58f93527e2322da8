package event

import (
	"hash/fnv"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// Scenarios, reports and other programs go by these names, and a ban by the class.
func TestNames(t *testing.T) {
	classes := map[Class]string{
		Hostile: `auth-failed relay-denied helo-rejected access-denied pipelining non-smtp non-ssh pregreet command-limit too-many-errors`,
		Suspect: `auth-rate-limited auth-aborted no-hostname hostname-mismatch dnsbl-listed helo-deferred relay-refused error-limit sender-rejected
			recipient-unknown policy-rejected protocol-error bare-newline content-rejected lost-connection hangup rate-limited tls-error ssh-error no-auth
			login-refused penalised`,
		Fault:   `auth-fault server-fault lookup-fault dns-fault dnsbl-fault`,
		Success: `login-ok auth-mail-ok`,
		Own:     `denylisted own-refusal`,
	}
	byClass := map[Class][]string{}
	for _, k := range Kinds() {
		byClass[k.Class()] = append(byClass[k.Class()], k.String())
	}
	for class, names := range classes {
		if want := strings.Fields(names); !slices.Equal(byClass[class], want) {
			t.Errorf("%s: %v, want %v", class, byClass[class], want)
		}
	}
	names := []string{
		NoService.String(), Postfix.String(), Postscreen.String(), Dovecot.String(), SSHD.String(),
		NoClass.String(), Hostile.String(), Suspect.String(), Fault.String(), Success.String(), Own.String(),
		NoHeader.String(), Foreign.String(), Benign.String(), Missed.String(), Ambiguous.String(), Witness.String(), Noted.String(),
	}
	want := strings.Split(",postfix,postscreen,dovecot,sshd,,hostile,suspect,fault,success,own,no-header,foreign,benign,missed,ambiguous,witness,event", ",")
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

// The name of a finding stays the same from release to release: by it the LAPI is
// asked whether it has it. Each part of the finding is in it.
func TestID(t *testing.T) {
	first := time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)
	a := Alert{Scenario: "csmail/x", Scope: ScopeIP, Source: netip.MustParseAddr("192.0.2.1"), First: first, Last: first.Add(time.Second)}
	if got := a.ID(); got != "c6432cc0a6267bb2d98e73b8eb6ab109" {
		t.Errorf("got %s", got)
	}
	elsewhere := a
	elsewhere.First = first.In(time.FixedZone("", 7200))
	if elsewhere.ID() != a.ID() {
		t.Error("the zone of a time changes the name")
	}
	for name, change := range map[string]func(*Alert){
		"scenario": func(a *Alert) { a.Scenario = "csmail/y" }, "scope": func(a *Alert) { a.Scope, a.Bits = ScopeRange, 32 },
		"source": func(a *Alert) { a.Source = netip.MustParseAddr("192.0.2.2") }, "first": func(a *Alert) { a.First = first.Add(1) },
		"last": func(a *Alert) { a.Last = first },
	} {
		changed := a
		if change(&changed); changed.ID() == a.ID() {
			t.Errorf("another %s, the same name, want ID other than %v", name, a.ID())
		}
	}
}

// Snapshots hold origins: every release hashes alike (FNV-1a).
func TestOrigin(t *testing.T) {
	hash := func(text string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(text))
		return h.Sum64()
	}
	r := Record{Event: Event{Host: "mx1", Program: "postfix/smtpd"}}
	want := Origin{Host: hash("mx1"), Program: hash("postfix/smtpd")}
	if got := r.From(); got != want || r.Origin != want || OriginOf("mx1", "postfix/smtpd") != want {
		t.Errorf("got %v, want %v", got, want)
	}
	set := Record{Origin: Origin{Host: 1}, Event: Event{Host: "mx1"}}
	if got := set.From(); got != (Origin{Host: 1}) {
		t.Errorf("the parser's origin became %v, want %v", got, (Origin{Host: 1}))
	}
}

// A clone keeps nothing of the block that the line came from.
func TestClone(t *testing.T) {
	block := strings.Repeat("x", 64)
	var e Event
	fields := func(e *Event) map[string]string {
		texts := map[string]string{}
		for value, i := reflect.ValueOf(*e), 0; i < value.NumField(); i++ {
			if value.Field(i).Kind() == reflect.String {
				texts[value.Type().Field(i).Name] = value.Field(i).String()
			}
		}
		return texts
	}
	for name := range fields(&e) {
		reflect.ValueOf(&e).Elem().FieldByName(name).SetString(block[:8])
	}
	cloned := e.Clone()
	for name, text := range fields(&cloned) {
		if text != block[:8] || unsafe.StringData(text) == unsafe.StringData(block) {
			t.Errorf("%s: %q is the block's", name, text)
		}
	}
}

// A text that is a part of the message is a part of the clone's, and others keep their
// own, such as those behind the end of a message that was cut.
func TestCloneSharesItsMessage(t *testing.T) {
	block := "host1 smtpd: user=<bob>, name=<bob>; tail"
	e := Event{Host: block[:5], Message: block[13:36], User: block[19:22], ClientName: "bob", Reason: block[13:36], Helo: block[30:40], Code: block[36:36], Sender: block[12:15]}
	want := e
	got := e.Clone()
	if got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"user": {got.User, 6}, "all": {got.Reason, 0}, "equal but elsewhere": {got.ClientName, -1}, "beyond the end": {got.Helo, -1},
		"before the beginning": {got.Sender, -1}, "empty": {got.Code, 0}, "host": {got.Host, -1},
	} {
		if place := PlaceIn(got.Message, tt.text); place != tt.want {
			t.Errorf("%s: got place %d, want %d", name, place, tt.want)
		}
	}
	for _, text := range []string{got.Host, got.Message, got.User, got.ClientName, got.Reason, got.Helo, got.Sender} {
		if PlaceIn(block, text) >= 0 {
			t.Errorf("%q is the block's", text)
		}
	}
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if k.String() == "" || k.Class() == NoClass || k.Meaning() == "" || seen[k.String()] {
			t.Errorf("kind %d: name %q, class %q, meaning %q", k, k, k.Class(), k.Meaning())
		}
		seen[k.String()] = true
		var back Kind
		if err := back.UnmarshalText([]byte(k.String())); err != nil || back != k {
			t.Errorf("%s reads back as %s, %v", k, back, err)
		}
	}
	var k Kind
	if err := k.UnmarshalText([]byte("nonsense")); err == nil {
		t.Error("an unknown kind is no error")
	}
}

func TestParseAddr(t *testing.T) {
	tests := map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:0DB8:0:0::1": "2001:db8::1",
		"192.0.2.01": "", "fe80::1%eth0": "", "192.0.2.1 ": "", "192.0.2": "", "": "", "unknown": "", "192.0.2.1/24": "", "[::1]": "",
	}
	for text, want := range tests {
		addr, ok := ParseAddr(text)
		if ok != (want != "") || ok && addr.String() != want {
			t.Errorf("%q: %s, %v", text, addr, ok)
		}
	}
}

// What is read the short way is what net/netip reads, and nothing else.
func FuzzParseAddr(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1..2.3", ".1.2.3", "1.2.3.", "::1", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := netip.ParseAddr(text)
		isAddr := err == nil && want.Zone() == ""
		got, ok := ParseAddr(text)
		if ok != isAddr || ok && got != want.Unmap() {
			t.Errorf("%q: %s, %v; net/netip says %s, %v", text, got, ok, want, err)
		}
	})
}

func TestAlertValue(t *testing.T) {
	addr := netip.MustParseAddr
	for want, a := range map[string]Alert{
		"192.0.2.77":        {Scope: ScopeIP, Source: addr("::ffff:192.0.2.77")},
		"192.0.2.0/24":      {Scope: ScopeRange, Source: addr("192.0.2.77")},
		"192.0.2.64/28":     {Scope: ScopeRange, Source: addr("192.0.2.77"), Bits: 28},
		"192.0.0.0/16":      {Scope: ScopeRange, Source: addr("192.0.2.77"), Bits: 16},
		"2001:db8:0:1::/64": {Scope: ScopeRange, Source: addr("2001:db8:0:1::5")},
		"2001:db8::/48":     {Scope: ScopeRange, Source: addr("2001:db8:0:1::5"), Bits: 48},
		"bob@example.org":   {Scope: ScopeAccount, Account: "bob@example.org", Source: addr("192.0.2.77")},
	} {
		if got := a.Value(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
