package document

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"csmail/pkg/report/daily"
)

const (
	// manyDeferrals is how many deferrals without a delivery make a destination stuck, if
	// they went on for stuckFor.
	manyDeferrals = 10
	stuckFor      = 4 * time.Hour
)

// stuckDestinations are domains to which nothing has been delivered for hours although it
// was tried.
func stuckDestinations(in Input) []Finding {
	var found []Finding
	for _, domain := range slices.Sorted(maps.Keys(in.Figures.DeliveryDomains)) {
		t := in.Figures.DeliveryDomains[domain]
		since := max(t.Delivered, t.DeferredFrom)
		if t.Deferrals < manyDeferrals || time.Duration(int64(t.DeferredTo)-int64(since))*time.Second < stuckFor {
			continue
		}
		from, to := time.Unix(int64(since), 0).In(in.Zone), time.Unix(int64(t.DeferredTo), 0).In(in.Zone)
		found = append(found, Finding{
			ID: "destination-stuck", Severity: Warn, Count: t.Deferrals, Since: from, Until: to, Subjects: []string{domain},
			Title:  fmt.Sprintf("No mail to %s was delivered for %s, %d attempts were deferred", domain, hours(to.Sub(from)), t.Deferrals),
			Detail: "The last answer: " + cmp.Or(t.Reason, "none") + ". The mails wait in the queue.", Advice: "postqueue -p | grep -B3 -F -- " + shellWord(domain),
		})
	}
	return found
}

// manyWaiting is how many domains mail must wait for to be a finding, if they are a third
// of all or more: some domains are always dead.
const (
	manyWaiting  = 10
	waitingShare = 3
)

// growingQueue is mail to many domains that waits for hours: nothing was delivered there
// since the first deferral. Mail that is greylisted is delivered soon.
func growingQueue(in Input) []Finding {
	waiting := 0
	from, to := uint32(math.MaxUint32), uint32(0)
	reasons := map[string]int{}
	for _, t := range in.Figures.DeliveryDomains {
		if t.Deferrals == 0 || t.Delivered >= t.DeferredTo {
			continue
		}
		waiting++
		reasons[t.Reason]++
		from, to = min(from, max(t.Delivered, t.DeferredFrom)), max(to, t.DeferredTo)
	}
	all := len(in.Figures.DeliveryDomains)
	if waiting < manyWaiting || waiting*waitingShare < all || time.Duration(int64(to)-int64(from))*time.Second < stuckFor {
		return nil
	}
	return []Finding{{
		ID: "queue-grows", Severity: Warn, Count: waiting, Since: time.Unix(int64(from), 0).In(in.Zone), Until: time.Unix(int64(to), 0).In(in.Zone),
		Title:  fmt.Sprintf("The queue grows: mail to %d of %d domains was deferred, and none was delivered there since", waiting, all),
		Detail: "If it is all of them, look at the way out, at port 25 and the resolver; if not, at who sends so much. The most frequent answer: " + cmp.Or(mostFrequent(reasons), "none"),
		Advice: "postqueue -p | tail -1; postqueue -p | head -30",
	}}
}

func hours(d time.Duration) string { return fmt.Sprintf("%d hours", int(d.Hours())) }

// silentFor is for how many hours nobody must have connected and nothing been delivered
// to be a finding, if there was something in each of as many hours before. Between
// spammers and scanners hardly any mail server has six such hours.
const silentFor = 6

// IsEmpty reports whether the report counts no mail, no connection and no login.
func (d *Document) IsEmpty() bool {
	mails := d.Received + d.Delivered + d.Forwarded + d.Requeued + d.Deferrals + d.Bounced + d.Expired + d.Incomplete + d.Discarded + d.Held
	clients := d.Connections.SMTPD + d.Connections.Postscreen + d.Rejected + d.RejectWarnings + d.Logins.OK + d.Logins.Failed
	return mails+clients == 0
}

// emptiness is the finding of a report that counts nothing, and says why that is, as far
// as it is known: an empty log, a log of another time, or one without mail. It is urgent
// if a time was asked for, because then a mail server stands still or does not log. A log
// that is read as a whole may be that of anything.
func (d *Document) emptiness(in Input) Finding {
	f := Finding{ID: "silent", Severity: Urgent, Advice: "systemctl status postfix dovecot rsyslog"}
	if !in.Bounded {
		f.Severity = Warn
	}
	switch {
	case in.Lines == 0:
		f.Title, f.Detail = "The log is empty: no line was read", "Nothing was logged, or the mail server logs to another place. The command shows the journal's last lines about mail."
		f.Advice = "journalctl -n 5 SYSLOG_FACILITY=2"
		if in.Bounded {
			f.Title = "The log holds no line of this time"
		}
	case !in.Outside.Last.IsZero() && !in.Noted:
		const form = "2 January 2006 15:04"
		f.Title = "No line of the log is of this time"
		f.Detail = fmt.Sprintf("The log was read from %s to %s. The command shows its last day.", in.Outside.First.In(in.Zone).Format(form), in.Outside.Last.In(in.Zone).Format(form))
		f.Advice = "csmail report --day " + in.Outside.Last.In(in.Zone).Format(time.DateOnly) + d.inZone()
		for _, file := range in.Files {
			f.Advice += " " + shellWord(file)
		}
	default:
		f.Title = "No mail and no login is in the log of this time"
		f.Detail = fmt.Sprintf("Of %s none says that somebody connected, sent a mail or logged in. Either nothing came, or the log is not complete.", plural(int(in.Lines), "line"))
	}
	return f
}

// silence is a window without any mail, or hours of it without, where there was mail in
// each of the hours before.
func (d *Document) silence(in Input) []Finding {
	if d.IsEmpty() {
		return []Finding{d.emptiness(in)}
	}
	var found []Finding
	busy, quiet := 0, 0
	var since time.Time
	flush := func(until time.Time) {
		if quiet >= silentFor && busy >= silentFor {
			found = append(found, Finding{
				ID: "silent", Severity: Urgent, Count: quiet, Since: since, Until: until,
				Title:  fmt.Sprintf("No mail for %d hours, after some in each of the hours before", quiet),
				Detail: "Nobody connected, and nothing was delivered or refused. Either Postfix stood still or its log is not complete.", Advice: "systemctl status postfix rsyslog; ss -ltn sport = :25",
			})
		}
	}
	end := d.To
	if !d.Generated.IsZero() && d.Generated.Before(end) {
		end = d.Generated
	}
	start := HourOf(d.From, in.Zone)
	if first := firstHour(in); start.Before(first) { // nothing was busy before it
		start = first
	}
	for at := start; !at.Add(time.Hour).After(end); at = at.Add(time.Hour) {
		if h := in.Figures.Hours[at.In(in.Zone).Format(hourForm)]; h == nil {
			if quiet == 0 {
				since = at
			}
			quiet++
			continue
		}
		flush(at)
		if quiet > 0 {
			busy = 0
		}
		busy, quiet = busy+1, 0
	}
	flush(end)
	return found
}

// hourForm is that of the keys of daily.Figures.Hours.
const hourForm = "2006-01-02T15"

// firstHour returns a time shortly before the first hour that has figures, the zero time
// if there is none. A report may be asked for since long before its log began.
func firstHour(in Input) time.Time {
	first := ""
	for key := range in.Figures.Hours {
		if first == "" || key < first {
			first = key
		}
	}
	at, err := time.ParseInLocation(hourForm, first, in.Zone)
	if err != nil {
		return time.Time{}
	}
	return HourOf(at, in.Zone).Add(-2 * time.Hour) // summer time may begin or end in between
}

const (
	// usualTimes is how many times its usual number that is.
	usualTimes = 10
	// knownDays is for how many days the accounts' habits must be known to say that
	// something is new.
	knownDays = 7
)

// bulkSenders are accounts that sent as a thief does: much, and much of it to addresses
// that do not exist, or far more than they ever did.
func bulkSenders(in Input) []Finding {
	date := in.From.In(in.Zone).Format(time.DateOnly)
	isKnown := in.Habits.Since != "" && in.Habits.Since <= daysBefore(date, knownDays)
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(in.Figures.Sent)) {
		_, _, usual, _ := in.Habits.Accounts[name].before(date)
		worst, recipients, failed := "", 0, 0
		for _, hour := range slices.Sorted(maps.Keys(in.Figures.Sent[name])) {
			s := in.Figures.Sent[name][hour]
			many := s.Recipients >= daily.ManyRecipients && (5*s.Failed >= s.Recipients || isKnown && s.Recipients >= usualTimes*usual)
			if many && s.Recipients > recipients {
				worst, recipients, failed = hour, s.Recipients, s.Failed
			}
		}
		if worst == "" {
			continue
		}
		since, _ := time.ParseInLocation("2006-01-02T15", worst, in.Zone)
		f := Finding{
			ID: "account-sends-bulk", Severity: Urgent, Count: recipients, Since: since, Until: since.Add(time.Hour), Subjects: []string{name},
			Title:  fmt.Sprintf("%s sent mail to %d recipients in one hour, %d of them bounced or were deferred", name, recipients, failed),
			Detail: "A stolen password is used to send spam. Change the password, and look at what waits in the queue.",
			Advice: "postqueue -p | grep -F -- " + shellWord(name),
		}
		if isKnown {
			f.Detail += fmt.Sprintf(" In the 30 days before it was %d in an hour at the most.", usual)
		}
		found = append(found, f)
	}
	return found
}
