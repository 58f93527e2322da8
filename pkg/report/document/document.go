// Package document composes the daily report: the figures of the mail system
// (report/daily), the engine's findings (report), and the findings that need a person. It
// knows the report's JSON contract and decides what is a finding. It does no I/O; the
// look of a report is the business of render/page.
package document

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// Version is the version of the JSON contract.
const Version = 1

// Document is one report. Its JSON form is a contract with scripts: counts are
// integers, times RFC 3339, mail addresses in lower case.
type Document struct {
	Version   int       `json:"version"`
	Generated time.Time `json:"generated"`
	Host      string    `json:"host,omitempty"`  // where one host logged
	Hosts     []string  `json:"hosts,omitempty"` // where several did
	From      time.Time `json:"from,omitzero"`   // of the first line, or the window's border
	To        time.Time `json:"to,omitzero"`
	Timezone  string    `json:"timezone"`
	Days      int       `json:"days"` // calendar days from From to To
	Lines     int64     `json:"lines"`

	Status   string    `json:"status"` // quiet, elevated or attack
	Findings []Finding `json:"findings"`

	Bans      Verdicts  `json:"bans"`
	Holds     Verdicts  `json:"holds"`
	Alerts    Verdicts  `json:"alerts"`
	Prevented int       `json:"prevented"` // attempts that came while their source was banned
	Attackers Attackers `json:"attackers"`

	Received    int            `json:"received"`
	ReceivedBy  map[string]int `json:"received_by"`
	Delivered   int            `json:"delivered"`
	DeliveredBy map[string]int `json:"delivered_by"`
	Forwarded   int            `json:"forwarded"`
	Requeued    int            `json:"requeued"`
	Deferred    int            `json:"deferred"`
	Deferrals   int            `json:"deferrals"`
	Bounced     int            `json:"bounced"`
	Expired     int            `json:"expired"`
	Incomplete  int            `json:"not_completed"`
	Unsized     int            `json:"unsized"`

	Rejected          int            `json:"rejected"`
	RejectedTemporary int            `json:"rejected_temporary"`
	RejectedPercent   float64        `json:"rejected_percent"`
	RejectedBy        map[string]int `json:"rejected_by"`
	RejectedClients   int            `json:"rejected_clients"`
	RejectWarnings    int            `json:"reject_warnings"`
	Held              int            `json:"held"`
	Discarded         int            `json:"discarded"`
	DiscardedByFilter int            `json:"discarded_by_filter"`

	BytesReceived    int64 `json:"bytes_received"`
	BytesDelivered   int64 `json:"bytes_delivered"`
	Senders          int   `json:"senders"`
	SendingDomains   int   `json:"sending_domains"`
	Recipients       int   `json:"recipients"`
	RecipientDomains int   `json:"recipient_domains"`

	Connections Connections `json:"connections"`

	PerHour map[string]daily.Hour `json:"per_hour"` // "00" to "23", summed over the days
	PerDay  map[string]daily.Hour `json:"per_day"`

	LoginsPerHour map[string]daily.LoginHour `json:"logins_per_hour"` // "00" to "23"

	DeliveryDomains map[string]Delivery `json:"delivery_domains"`
	ReceivedDomains map[string]Volume   `json:"received_domains"`
	SendersBy       map[string]Volume   `json:"senders_by"`
	RecipientsBy    map[string]Volume   `json:"recipients_by"`

	RejectDetail  Refusals `json:"reject_detail"`
	WarningDetail Refusals `json:"reject_warning_detail"`
	HoldDetail    Refusals `json:"hold_detail"`
	DiscardDetail Refusals `json:"discard_detail"`

	BounceDetail   map[string]Detail `json:"bounce_detail"`
	DeferralDetail map[string]Detail `json:"deferral_detail"`

	Warnings Trouble        `json:"warnings"`
	Errors   Trouble        `json:"errors"`
	Fatals   Trouble        `json:"fatals"`
	Panics   Trouble        `json:"panics"`
	Master   map[string]int `json:"master"`
	TLS      map[string]int `json:"tls"`

	Logins   Logins    `json:"logins"`
	Accounts []Account `json:"accounts"` // tried most first

	Before []Day `json:"before,omitempty"` // earlier days of the same logs, the oldest first
	zone   *time.Location
	spans  map[string]*daily.Span // of this host's own trouble
	files  []string               // that it was made of, if any were named

	bounded bool // a window was asked for
}

// Refusals are by stage and reason.
type Refusals map[string]map[string]*Refusal

// Refusal counts the refused commands of one reason.
type Refusal struct {
	Total     int            `json:"total"`
	Temporary int            `json:"temporary"`
	By        map[string]int `json:"by"`                   // client addresses
	Senders   map[string]int `json:"senders,omitempty"`    // for reasons about the sender
	Rcpts     map[string]int `json:"recipients,omitempty"` // for reasons about the recipient
}

// Verdicts are the findings of one verdict, one for each value.
type Verdicts struct {
	Total      int            `json:"total"`
	ByScenario map[string]int `json:"by_scenario"`
	List       []Verdict      `json:"list"`
}

// Verdict is one value that was banned, held or reported.
type Verdict struct {
	Scope    string    `json:"scope"`
	Value    string    `json:"value"`
	Scenario string    `json:"scenario"`
	StartAt  time.Time `json:"start_at"`
	StopAt   time.Time `json:"stop_at"`
	Events   int       `json:"events_count"`
	Message  string    `json:"message"`
	Rule     string    `json:"rule,omitempty"`
	Reason   string    `json:"reason"`
	Name     string    `json:"name,omitempty"`
	Network  string    `json:"network"`
	Country  string    `json:"country,omitempty"`
	AS       string    `json:"as,omitempty"`

	At time.Time `json:"-"` // when it was decided
}

// Attackers are the sources as csmail scan lists them.
type Attackers struct {
	Total    int              `json:"total"`
	Attempts int              `json:"attempts"`
	Others   *report.Others   `json:"others,omitempty"` // that found no room among the sources; nil: none
	List     []*report.Source `json:"-"`                // printed as csmail scan prints them
}

// Connections counts clients, without those on this host.
type Connections struct {
	SMTPD             int `json:"smtpd"`
	SMTPDClients      int `json:"smtpd_clients"`
	Postscreen        int `json:"postscreen"`
	PostscreenClients int `json:"postscreen_clients"`

	// SMTPDSeconds is how long smtpd's clients were connected, in whole seconds each, as
	// pflogsumm counts.
	SMTPDSeconds float64 `json:"smtpd_seconds"`

	// Connections to smtpd that ended, in pflogsumm's figures: by hour of the day, date, and
	// host or its domain.
	PerHour map[string]daily.Connected `json:"smtpd_per_hour"`
	PerDay  map[string]daily.Connected `json:"smtpd_per_day"`
	Hosts   map[string]daily.Connected `json:"smtpd_hosts"`
}

// Volume counts mails and their bytes.
type Volume struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

// Delivery sums up the deliveries to one domain. Delays are in seconds.
type Delivery struct {
	Count     int     `json:"count"`
	Bytes     int64   `json:"bytes"`
	Deferrals int     `json:"deferrals"`
	DelayAvg  float64 `json:"delay_avg"`
	DelayMax  float64 `json:"delay_max"`
}

// Detail counts by text.
type Detail struct {
	Total int            `json:"total"`
	By    map[string]int `json:"by"`
}

// Trouble counts messages of one severity by daemon and text.
type Trouble struct {
	Total int               `json:"total"`
	By    map[string]Detail `json:"by"`
}

// Logins counts logins at Dovecot and over SMTP.
type Logins struct {
	OK     int `json:"ok"`
	Failed int `json:"failed"`
	Users  int `json:"users"` // accounts that logged in
}

// Account is a login name that was tried.
type Account struct {
	Name      string `json:"name"`
	Failures  int    `json:"failures"`
	Addresses int    `json:"addresses"` // from which it was tried
	LoggedIn  bool   `json:"logged_in"`
}

// Day is an earlier day in the figures that are compared.
type Day struct {
	Date      string `json:"date"`
	Received  int    `json:"received"`
	Delivered int    `json:"delivered"`
	Deferred  int    `json:"deferred"`
	Bounced   int    `json:"bounced"`
	Rejected  int    `json:"rejected"`
	Failed    int    `json:"failed_logins"`
	Logins    int    `json:"logins"`
}

// DayOf returns the day of some figures.
func DayOf(date string, f *daily.Figures) Day {
	return Day{date, f.Received(), f.Delivered(), len(f.Deferred), f.Bounced, f.Rejected(), f.LoginsFailed, f.LoginsOK}
}

// Span is the time from a first to a last line; zero if there is none.
type Span struct{ First, Last time.Time }

// Input is all that a report is made from.
type Input struct {
	Generated time.Time
	From, To  time.Time // of the first and the last line in the window, or its borders
	Zone      *time.Location
	ZoneName  string   // as in /usr/share/zoneinfo, if it is known
	Hosts     []string // sorted
	Lines     int64
	Missed    int64 // lines of known daemons that no grammar matched
	Bounded   bool  // a window was asked for: From and To are its borders
	Noted     bool  // a line of the window was understood
	Outside   Span  // of the lines that were understood, but are not in the window
	Files     []string

	Figures *daily.Figures
	Before  []Day
	Sources []*report.Source

	OtherSources report.Others

	Prevented  int                 // attempts during a ban
	Collateral []report.Collateral // banned, and then honest
	Watch      *Watch

	// Place returns country and network operator of an address; nil: unknown.
	Place func(netip.Addr) (country, as string)

	Others []Finding // that are not made from the logs
	Habits Habits    // of the accounts, as far as they are known
}

// New makes the report.
func New(in Input) *Document {
	d := &Document{
		Version: Version, Generated: in.Generated, From: in.From.In(in.Zone), To: in.To.In(in.Zone), Timezone: cmp.Or(in.ZoneName, in.Zone.String()),
		Lines: in.Lines, Before: in.Before, zone: in.Zone, spans: in.Figures.Spans, files: in.Files, bounded: in.Bounded,
	}
	if len(in.Hosts) == 1 {
		d.Host = in.Hosts[0]
	} else {
		d.Hosts = in.Hosts
	}
	d.Days = calendarDays(d.From, d.To)
	d.addFigures(in.Figures)
	d.addDetails(in.Figures)
	d.addVerdicts(in)
	d.Accounts = in.Watch.accountsTried()
	d.Findings = d.findings(in)
	d.Status = statusOf(d.Findings)
	return d
}

// calendarDays returns the number of days that a window touches.
func calendarDays(from, to time.Time) int {
	if from.IsZero() || to.Before(from) {
		return 0
	}
	first := time.Date(from.Year(), from.Month(), from.Day(), 12, 0, 0, 0, time.UTC)
	last := time.Date(to.Year(), to.Month(), to.Day(), 12, 0, 0, 0, time.UTC)
	if to.Equal(startOfDay(to)) && to.After(from) { // the end of the window is not part of it
		last = last.AddDate(0, 0, -1)
	}
	return int(last.Sub(first).Hours()/24) + 1
}

func startOfDay(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// Title returns the host and the time of the report.
func (d *Document) Title() string {
	host := d.Host
	if host == "" && len(d.Hosts) > 0 {
		host = fmt.Sprintf("%d hosts", len(d.Hosts))
	}
	if host == "" {
		host = "an unnamed host"
	}
	return host
}

// Period returns the window in the report's zone.
func (d *Document) Period() string {
	if d.From.IsZero() {
		return "no lines"
	}
	from, to := d.From, d.To
	if to.Equal(startOfDay(to)) && to.After(from) {
		to = to.Add(-time.Minute)
	}
	const day, clock = "Monday 2 January 2006", "15:04"
	if d.Days == 1 {
		return fmt.Sprintf("%s, %s-%s %s", from.Format(day), from.Format(clock), to.Format(clock), d.Timezone)
	}
	return fmt.Sprintf("%s %s to %s %s %s", from.Format("2 January 2006"), from.Format(clock), to.Format("2 January 2006"), to.Format(clock), d.Timezone)
}

// Command returns the command that makes the report again, of the same time and files.
func (d *Document) Command(flags string) string {
	command := "csmail report" + d.window() + d.inZone() + " " + flags
	for _, file := range d.files {
		command += " " + shellWord(file)
	}
	return command
}

// inZone returns the flag that names the zone of the report, if it is not that of the host.
func (d *Document) inZone() string {
	if d.zone == time.Local || d.Timezone == "" {
		return ""
	}
	return " --timezone " + shellWord(d.Timezone)
}

// journal adds the time of the report to a journalctl command, in a form of
// systemd.time(7). journalctl reads a time without a zone in that of the host, so the time
// of a report in another zone is in UTC.
func (d *Document) journal(command string) string {
	if d.From.IsZero() {
		return command + " --since yesterday"
	}
	from, to, form := d.From, d.To, "'2006-01-02 15:04'"
	if whole := to.Truncate(time.Minute); whole.Before(to) {
		to = whole.Add(time.Minute)
	}
	switch {
	case d.zone != time.Local:
		from, to, form = from.UTC(), to.UTC(), "'2006-01-02 15:04 UTC'"
	case from.Equal(Midnight(from, 0)) && to.Equal(Midnight(to, 0)):
		form = time.DateOnly
	}
	return command + " --since " + from.Format(form) + " --until " + to.Format(form)
}

// window returns the flags that name the time of the report. A report of whole files has
// none. One that ended at the present has its last hour to the end, because the daemon
// has reports of hours.
func (d *Document) window() string {
	midnight := func(at time.Time) bool { return at.Equal(Midnight(at, 0)) }
	switch {
	case d.From.IsZero():
		return ""
	case midnight(d.From) && d.To.Equal(Midnight(d.From, 1)):
		return " --day " + d.From.Format(time.DateOnly)
	case !d.bounded && len(d.files) > 0:
		return ""
	}
	to, form := d.To, time.RFC3339
	if hour := HourOf(to, to.Location()); hour.Before(to) {
		to = hour.Add(time.Hour)
	}
	if midnight(d.From) && midnight(to) {
		form = time.DateOnly
	}
	return " --since " + d.From.Format(form) + " --until " + to.Format(form)
}

// Zone is the zone of the report's times.
func (d *Document) Zone() *time.Location { return d.zone }
