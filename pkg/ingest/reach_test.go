package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/event"
	"csmail/pkg/input"
)

// guess is one failed login as the file has it, and inJournal as the journal does.
func guess(at time.Time, host, text string) string {
	return fmt.Sprintf("%s %s postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: %s\n", at.Format(time.Stamp), host, text)
}

func inJournal(at time.Time, host, text string) string {
	return fmt.Sprintf(`{"__CURSOR":"c","__REALTIME_TIMESTAMP":"%d","_HOSTNAME":%q,"SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"1",`+
		`"MESSAGE":"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: %s"}`+"\n", at.UnixMicro(), host, text)
}

func openKind(t *testing.T, s config.Source) *Feed {
	t.Helper()
	feeds, err := Open(t.Context(), []config.Source{s}, Options{Journal: "/nonexistent/journalctl"})
	if err != nil {
		t.Fatal(err)
	}
	return feeds[0]
}

// read returns which of the offences count, by their text.
func read(f *Feed, text string) []string {
	var got []string
	f.Parse(input.Batch{Log: "x", Text: text, Received: received, Read: received}, func(r *event.Record) {
		_, what, _ := strings.Cut(r.Message, "authentication failed: ")
		got = append(got, what)
	})
	return got
}

// Lines that a source of another kind had read do not count again.
func TestOtherKindOfSourceOfTheSameLines(t *testing.T) {
	base := time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	type line struct {
		at   time.Time
		host string
		text string
	}
	for name, tt := range map[string]struct {
		before, after []line
		want          []string
	}{
		"the same lines": {[]line{{at(100), "mx", "a"}, {at(5000), "mx", "b"}}, []line{{at(100), "mx", "a"}, {at(5000), "mx", "b"}, {at(5200), "mx", "c"}}, []string{"c"}},
		"three alike, then one more": {
			[]line{{at(100), "mx", "a"}, {at(200), "mx", "a"}, {at(300), "mx", "a"}},
			[]line{{at(100), "mx", "a"}, {at(200), "mx", "a"}, {at(300), "mx", "a"}, {at(400), "mx", "a"}},
			[]string{"a"},
		},
		"the seconds do not agree": {[]line{{at(999), "mx", "a"}}, []line{{at(1001), "mx", "a"}, {at(1500), "mx", "b"}}, []string{"b"}},
		"a name with its domain":   {[]line{{at(100), "MX.example.org", "a"}}, []line{{at(100), "mx", "a"}}, nil},
		"another host":             {[]line{{at(100), "mx1", "a"}}, []line{{at(100), "mx2", "a"}}, []string{"a"}},
		"a host that lags":         {[]line{{at(0), "mx1", "a"}, {at(60000), "mx2", "b"}}, []line{{at(9000), "mx1", "c"}, {at(60000), "mx2", "b"}}, []string{"c"}},
		"days of them":             {[]line{{at(-86400000), "mx", "a"}, {at(0), "mx", "b"}}, []line{{at(-86400000), "mx", "a"}, {at(-3600000), "mx", "late"}, {at(0), "mx", "b"}}, nil},
	} {
		for _, toJournal := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, to the journal %t", name, toJournal), func(t *testing.T) {
				file := config.Source{Source: "file", Filenames: []string{"/nonexistent/mail.log"}, Timezone: "UTC"}
				journal := config.Source{Source: "journalctl"}
				one, two, write, writeNext := openKind(t, file), openKind(t, journal), guess, inJournal
				if !toJournal {
					one, two, write, writeNext = openKind(t, journal), openKind(t, file), inJournal, guess
				}
				text := ""
				for _, l := range tt.before {
					text += write(l.at, l.host, l.text)
				}
				if got := read(one, text); len(got) != len(tt.before) {
					t.Fatalf("first read %q, want %d of them", got, len(tt.before))
				}
				if _, err := two.Resume("", one.Cursor(input.Batch{Cursor: "x"}), "read:rubbish"); err != nil {
					t.Fatal(err)
				}
				text = ""
				for _, l := range tt.after {
					text += writeNext(l.at, l.host, l.text)
				}
				got := read(two, text)
				if !slices.Equal(got, tt.want) {
					t.Errorf("counted %q, want %q", got, tt.want)
				}
				if two.Counts.Again != uint64(len(tt.after)-len(tt.want)) {
					t.Errorf("%d counted as read before, want Again %d", two.Counts.Again, uint64(len(tt.after)-len(tt.want)))
				}
			})
		}
	}
}

// A service that the source of before never had is another log of the host, and what
// speaks for a client is heard whatever was read.
func TestOtherLogOfTheSameHost(t *testing.T) {
	one := openKind(t, config.Source{Source: "file", Filenames: []string{"/nonexistent/mail.log"}, Timezone: "UTC"})
	read(one, guess(received.Add(-time.Hour), "mx", "a"))
	two := openKind(t, config.Source{Source: "file", Filenames: []string{"/nonexistent/auth.log"}, Timezone: "UTC"})
	if _, err := two.Resume("", one.Cursor(input.Batch{Cursor: "x"})); err != nil {
		t.Fatal(err)
	}
	day := received.Add(-2 * time.Hour).Format(time.Stamp)
	got := read(two, day+" mx sshd[7]: Failed password for root from 192.0.2.9 port 4711 ssh2\n"+
		day+" mx postfix/smtpd[1]: 4ABC: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=bob\n"+
		guess(received.Add(-2*time.Hour), "mx", "old"))
	if len(got) != 2 {
		t.Errorf("counted %q, want the SSH login and the mail", got)
	}
}

// The newest lines are kept, so that a busy second does not fill the cursor.
func TestReachIsBounded(t *testing.T) {
	f := openKind(t, config.Source{Source: "file", Filenames: []string{"/nonexistent/mail.log"}, Timezone: "UTC"})
	text := ""
	for n := range 5000 {
		text += guess(received.Add(-time.Hour), fmt.Sprint("mx", n), fmt.Sprint(n))
	}
	read(f, text)
	if got := len(f.reach.Hosts); got != maxReachHosts {
		t.Errorf("%d hosts, want %d", got, maxReachHosts)
	}
	if r, _, err := splitCursor(f.Cursor(input.Batch{Cursor: "x"})); err != nil || len(r.Newest) > maxNewest {
		t.Errorf("%d newest, %v, want Newest at most %v", len(r.Newest), err, maxNewest)
	}
}
