package document

import (
	"testing"
	"time"

	"csmail/pkg/report"
)

// The command makes the report of the same time again, not of the last 24 hours.
func TestCommandNamesTheTimeOfTheReport(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	at := func(text string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04:05", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for name, tt := range map[string]struct {
		from, to string
		bounded  bool
		files    []string
		want     string
	}{
		"a day":                    {"2026-06-01 00:00:00", "2026-06-02 00:00:00", true, nil, "csmail report --day 2026-06-01 --top 0"},
		"a day of a file":          {"2026-06-01 00:00:00", "2026-06-02 00:00:00", true, []string{"mail log"}, "csmail report --day 2026-06-01 --top 0 'mail log'"},
		"three days":               {"2026-06-01 00:00:00", "2026-06-04 00:00:00", true, nil, "csmail report --since 2026-06-01 --until 2026-06-04 --top 0"},
		"three days of a file":     {"2026-06-01 00:00:00", "2026-06-04 00:00:00", true, []string{"mail.log"}, "csmail report --since 2026-06-01 --until 2026-06-04 --top 0 mail.log"},
		"a whole file":             {"2026-06-01 07:11:12", "2026-06-04 09:10:11", false, []string{"mail.log"}, "csmail report --top 0 mail.log"},
		"the last 24 hours":        {"2026-06-01 07:00:00", "2026-06-02 07:30:01", true, nil, "csmail report --since 2026-06-01T07:00:00+02:00 --until 2026-06-02T08:00:00+02:00 --top 0"},
		"until the present":        {"2026-06-01 00:00:00", "2026-06-03 23:30:00", true, nil, "csmail report --since 2026-06-01 --until 2026-06-04 --top 0"},
		"hours of a file":          {"2026-06-01 07:00:00", "2026-06-01 09:00:00", true, []string{"mail.log"}, "csmail report --since 2026-06-01T07:00:00+02:00 --until 2026-06-01T09:00:00+02:00 --top 0 mail.log"},
		"a whole file, of one day": {"2026-06-01 00:00:00", "2026-06-02 00:00:00", false, []string{"mail.log"}, "csmail report --day 2026-06-01 --top 0 mail.log"},
	} {
		d := New(Input{From: at(tt.from), To: at(tt.to), Zone: zone, Bounded: tt.bounded, Files: tt.files, Figures: NewWindow(report.Scope{}).Figures, Watch: NewWatch((report.Scope{}).Holds)})
		if got := d.Command("--top 0"); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	if got, want := (&Document{}).Command("-o json"), "csmail report -o json"; got != want {
		t.Errorf("without a time: got %s, want %s", got, want)
	}
}

// What looks into the journal looks at the time of the report, in the forms of
// systemd.time(7).
func TestJournalOfTheReport(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	for want, span := range map[string][2]string{
		"journalctl -u dovecot --since 2026-06-01 --until 2026-06-02":                 {"2026-06-01 00:00:00", "2026-06-02 00:00:00"},
		"journalctl -u dovecot --since '2026-06-01 07:11' --until '2026-06-01 09:11'": {"2026-06-01 07:11:12", "2026-06-01 09:10:11"},
		"journalctl -u dovecot --since '2026-06-01 07:00' --until '2026-06-02 00:00'": {"2026-06-01 07:00:00", "2026-06-02 00:00:00"},
		"journalctl -u dovecot --since '2026-06-01 23:59' --until '2026-06-02 00:00'": {"2026-06-01 23:59:00", "2026-06-01 23:59:59"},
	} {
		from, _ := time.ParseInLocation(time.DateTime, span[0], zone)
		to, _ := time.ParseInLocation(time.DateTime, span[1], zone)
		if got := (&Document{From: from, To: to}).journal("journalctl -u dovecot"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got, want := (&Document{}).journal("journalctl"), "journalctl --since yesterday"; got != want {
		t.Errorf("without a time: got %s, want %s", got, want)
	}
}
