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
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 6, 1, 0, 0, 0, 0, newYork)
	for want, in := range map[string]Input{
		"csmail report --day 2026-06-01 --timezone America/New_York --top 0 mail.log": {From: from, To: from.AddDate(0, 0, 1), Bounded: true},
		"csmail report --timezone America/New_York --top 0 mail.log":                  {From: from, To: from.Add(time.Minute)}, // whose lines may name no zone
	} {
		in.Zone, in.Files, in.Figures, in.Watch = newYork, []string{"mail.log"}, NewWindow(report.Scope{}).Figures, NewWatch((report.Scope{}).Holds)
		if got := New(in).Command("--top 0"); got != want {
			t.Errorf("in another zone: got %s, want %s", got, want)
		}
	}
	if got, want := (&Document{}).Command("-o json"), "csmail report -o json"; got != want {
		t.Errorf("without a time: got %s, want %s", got, want)
	}
}

// What looks into the journal looks at the time of the report, in the forms of
// systemd.time(7). journalctl reads a time without a zone in that of the host.
func TestJournalOfTheReport(t *testing.T) {
	own, fixed := time.Local, time.FixedZone("", 2*3600)
	t.Cleanup(func() { time.Local = own })
	load := func(name string) *time.Location {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return zone
	}
	newYork := load("America/New_York")
	for name, tt := range map[string]struct {
		host, zone     *time.Location
		from, to, want string
	}{
		"a day":                     {fixed, fixed, "2026-06-01 00:00:00", "2026-06-02 00:00:00", "--since 2026-06-01 --until 2026-06-02"},
		"a part of a minute":        {fixed, fixed, "2026-06-01 07:11:12", "2026-06-01 09:10:11", "--since '2026-06-01 07:11' --until '2026-06-01 09:11'"},
		"until midnight":            {fixed, fixed, "2026-06-01 07:00:00", "2026-06-02 00:00:00", "--since '2026-06-01 07:00' --until '2026-06-02 00:00'"},
		"the last minute":           {fixed, fixed, "2026-06-01 23:59:00", "2026-06-01 23:59:59", "--since '2026-06-01 23:59' --until '2026-06-02 00:00'"},
		"a day of another zone":     {time.UTC, newYork, "2026-06-01 00:00:00", "2026-06-02 00:00:00", "--since '2026-06-01 04:00 UTC' --until '2026-06-02 04:00 UTC'"},
		"the day the clock changes": {time.UTC, newYork, "2026-11-01 00:00:00", "2026-11-02 00:00:00", "--since '2026-11-01 04:00 UTC' --until '2026-11-02 05:00 UTC'"},
		"hours of another zone":     {fixed, newYork, "2026-06-01 20:11:12", "2026-06-01 21:10:11", "--since '2026-06-02 00:11 UTC' --until '2026-06-02 01:11 UTC'"},
		"a zone of half hours":      {newYork, load("Asia/Kathmandu"), "2026-06-01 00:00:00", "2026-06-02 00:00:00", "--since '2026-05-31 18:15 UTC' --until '2026-06-01 18:15 UTC'"},
		"UTC of a host elsewhere":   {newYork, time.UTC, "2026-06-01 00:00:00", "2026-06-02 00:00:00", "--since '2026-06-01 00:00 UTC' --until '2026-06-02 00:00 UTC'"},
	} {
		time.Local = tt.host
		from, _ := time.ParseInLocation(time.DateTime, tt.from, tt.zone)
		to, _ := time.ParseInLocation(time.DateTime, tt.to, tt.zone)
		if got, want := (&Document{From: from, To: to, zone: tt.zone}).journal("journalctl"), "journalctl "+tt.want; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got, want := (&Document{}).journal("journalctl"), "journalctl --since yesterday"; got != want {
		t.Errorf("without a time: got %s, want %s", got, want)
	}
}
