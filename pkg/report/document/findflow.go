package document

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
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
			Detail: "The last answer: " + cmp.Or(t.Reason, "none") + ". The mails wait in the queue.", Advice: "postqueue -p | grep -B3 -F " + shellWord(domain),
		})
	}
	return found
}

func hours(d time.Duration) string { return fmt.Sprintf("%d hours", int(d.Hours())) }

// silentFor is for how many hours nobody must have connected and nothing been delivered
// to be a finding, if there was something in each of as many hours before. Between
// spammers and scanners hardly any mail server has six such hours.
const silentFor = 6

// silence is a window without any mail, or hours of it without, where there was mail in
// each of the hours before.
func (d *Document) silence(in Input) []Finding {
	if in.Lines == 0 || d.From.IsZero() || d.Received+d.Rejected+d.Connections.SMTPD+d.Connections.Postscreen+d.Logins.OK+d.Logins.Failed == 0 {
		return []Finding{{
			ID: "silent", Severity: Urgent, Title: "No mail and no login is in the log of this time",
			Detail: "Either nothing came, or the log is not complete.", Advice: "systemctl status postfix dovecot rsyslog",
		}}
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
	for at := HourOf(d.From, in.Zone); !at.Add(time.Hour).After(end); at = at.Add(time.Hour) {
		if h := in.Figures.Hours[at.In(in.Zone).Format("2006-01-02T15")]; h == nil {
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

const (
	// manyRecipients is from how many recipients in an hour on an account sends in bulk.
	manyRecipients = 200
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
			many := s.Recipients >= manyRecipients && (5*s.Failed >= s.Recipients || isKnown && s.Recipients >= usualTimes*usual)
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
			Advice: "postqueue -p | grep -F " + shellWord(name),
		}
		if isKnown {
			f.Detail += fmt.Sprintf(" In the 30 days before it was %d in an hour at the most.", usual)
		}
		found = append(found, f)
	}
	return found
}
