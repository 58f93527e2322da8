package lapi

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"csmail/pkg/event"

	"github.com/crowdsecurity/crowdsec/pkg/models"
	"github.com/go-openapi/strfmt"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func fullAlert() event.Alert {
	a := alertOn("::ffff:192.0.2.1")
	a.Kinds = []event.Count{{Name: "auth-failed", N: 5}, {Name: "relay-denied", N: 1}}
	a.Services = []string{"dovecot", "postfix"}
	a.Evidence = []event.Event{
		{
			Time: a.First, Service: event.Dovecot, Program: "dovecot/imap-login", Kind: event.AuthFailed, Addr: a.Source,
			User: "bob@example.org", Mechanism: "PLAIN", Reason: "auth failed", Attempts: 1,
			Message: "imap-login: Disconnected (auth failed, 1 attempts): user=<bob@example.org>",
		},
		{
			Time: a.Last, Service: event.Postfix, Program: "postfix/smtpd", Kind: event.RelayDenied, Addr: a.Source,
			ClientName: "unknown", Helo: "a\x1b[2Jb", Sender: "x@example.com", Recipient: "y@example.net",
			Code: "554 5.7.1", Reason: "Relay access denied", Message: "NOQUEUE: reject: \xff", Attempts: 1,
		},
	}
	return a
}

func TestToModel(t *testing.T) {
	ranged := alertOn("2001:db8:1:2:3::7")
	ranged.Scope, ranged.Message, ranged.Evidence = event.ScopeRange, "", nil
	future := alertOn("2001:db8::1%eth0")
	future.First = now.Add(time.Hour)
	account := fullAlert()
	account.Scope, account.Source, account.Account, account.Message = event.ScopeAccount, netip.Addr{}, "bob@example.org", ""
	account.Informational = true
	account.Checks = []string{"no login from it in 14 days", "our resolver works"}
	for name, tt := range map[string]struct {
		alert   event.Alert
		options PushOptions
	}{
		"account":   {account, PushOptions{Duration: time.Hour, ShareAccounts: true}},
		"renewal":   {fullAlert(), PushOptions{Duration: time.Hour, Renewal: 2}},
		"profiles":  {fullAlert(), PushOptions{}},
		"explicit":  {fullAlert(), PushOptions{Duration: 36 * time.Hour, Simulate: true}},
		"range":     {ranged, PushOptions{Duration: time.Hour}},
		"clock-off": {future, PushOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.options.Now = now
			model := toModel(tt.alert, tt.options)
			if err := (models.AddAlertsRequest{model}).Validate(strfmt.Default); err != nil {
				t.Errorf("the LAPI would refuse it: %v", err)
			}
			got, err := json.MarshalIndent(model, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)+"\n"); d != "" {
				t.Errorf("alert (-want +got):\n%s", d)
			}
		})
	}
}

// What CrowdSec's central API gets to see of an alert holds no user and no mail
// address: everything but the events.
func TestToModelKeepsUsersInEvents(t *testing.T) {
	model := toModel(fullAlert(), PushOptions{Now: now, Duration: time.Hour})
	model.Events = nil
	text, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"bob", "@", "example."} {
		if strings.Contains(string(text), private) {
			t.Errorf("%q in %s", private, text)
		}
	}
}

func TestIDOf(t *testing.T) {
	base := fullAlert()
	same := fullAlert()
	same.Source, same.Count, same.Message, same.Evidence = netip.MustParseAddr("192.0.2.1"), 99, "x", nil
	same.First = same.First.In(time.FixedZone("CEST", 7200))
	if base.ID() != same.ID() {
		t.Error("what is not part of the finding changes its id")
	}
	for name, change := range map[string]func(*event.Alert){
		"scenario": func(a *event.Alert) { a.Scenario += "x" },
		"scope":    func(a *event.Alert) { a.Scope = event.ScopeRange },
		"source":   func(a *event.Alert) { a.Source = netip.MustParseAddr("192.0.2.2") },
		"first":    func(a *event.Alert) { a.First = a.First.Add(1) },
		"last":     func(a *event.Alert) { a.Last = a.Last.Add(1) },
	} {
		a := fullAlert()
		change(&a)
		if a.ID() == base.ID() {
			t.Errorf("another %s, the same id, want ID other than %v", name, base.ID())
		}
	}
}

func TestEventMetaFitsTheLAPI(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("a<\"\x00\u2028é\U0001F4E7")
	word := func(longest int) string {
		var b strings.Builder
		for range random.IntN(longest) {
			b.WriteRune(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	for range 300 {
		raw := make([]byte, random.IntN(9000))
		for i := range raw {
			raw[i] = byte(random.Uint32())
		}
		e := event.Event{
			Kind: event.AuthFailed, Addr: netip.MustParseAddr("192.0.2.1"), User: word(3000), Helo: word(300),
			Sender: word(3000), Message: string(raw) + word(3000),
		}
		meta := eventMeta(e)
		text, err := json.Marshal(meta)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > maxEventMeta {
			t.Fatalf("%d bytes of %+v, want at most %v", len(text), e, maxEventMeta)
		}
		for _, item := range meta {
			if !utf8.ValidString(item.Value) || strings.ContainsAny(item.Value, "\x00\x1b\n") {
				t.Fatalf("%s: %q", item.Key, item.Value)
			}
		}
	}
}

func TestEventMetaCutsOnlyWhatIsTooLong(t *testing.T) {
	const room = 7800 // beside the other values
	value := func(message string) string {
		meta := eventMeta(event.Event{Kind: event.AuthFailed, Addr: netip.MustParseAddr("192.0.2.1"), Message: message})
		return meta[len(meta)-1].Value
	}
	short := strings.Repeat("x", room)
	if value(short) != short {
		t.Error("a message that fits was cut")
	}
	for name, letter := range map[string]string{"ascii": "x", "two bytes": "é", "four bytes": "\U0001F4E7", "escaped": "<"} {
		long := strings.Repeat(letter, 20000)
		got := value(long)
		inJSON, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(long, got) || len(inJSON) < room {
			t.Errorf("%s: %d bytes of JSON left, want it to begin with %q, inJSON at least %v", name, len(inJSON), got, room)
		}
	}
}

// The value of an account's alert is a client's text: what the LAPI is sent is what
// it can store, and what it is asked for later.
func TestAccountValue(t *testing.T) {
	a := event.Alert{Scope: event.ScopeAccount, Account: "a\x1b[31m\x00\xff\u202e" + strings.Repeat("ä", 300)}
	value := valueOf(a)
	if len(value) > maxValue || !strings.HasPrefix(value, "a?[31m?\uFFFD?ä") || !utf8.ValidString(value) {
		t.Errorf("got %q, %d bytes", value, len(value))
	}
	if got := *toModel(a, PushOptions{}).Source.Value; got != value {
		t.Errorf("sent as %q, want %q", got, value)
	}
}

func TestHostsOf(t *testing.T) {
	for _, c := range []struct {
		name     string
		evidence []event.Event
		want     []string
	}{
		{"nothing", nil, nil},
		{"no host named", []event.Event{{Attempts: 3}}, nil},
		{"one", []event.Event{{Host: "mx7", Attempts: 1}, {Host: "mx7", Attempts: 5}}, []string{"mx7: 6 of 6 attempts"}},
		{"most on one", []event.Event{{Host: "mx2", Attempts: 1}, {Host: "mx7", Attempts: 8}, {Host: "mx1"}}, []string{"mx7: 8 of 10 attempts", "mx1: 1 of 10 attempts", "mx2: 1 of 10 attempts"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hostsOf(c.evidence); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
