package daily

import (
	"strings"
	"time"
)

// A finding needs the hours in which an account sent much, and a log of a month has
// hundreds of hours of each account. So of the hours that are long over only those with
// many recipients are kept. The first and the latest hours stay, because the lines of the
// window before or after may still add to them.
const (
	// ManyRecipients is from how many recipients in an hour on an account sends in bulk.
	ManyRecipients = 200
	// sentKept is how long before the latest hour all hours are kept.
	sentKept = 30 * time.Hour
	// sentSwept is by how much the latest hour moves on between two looks for old ones.
	sentSwept = 12 * time.Hour
)

// sentHours is the span of the hours of Figures.Sent.
type sentHours struct {
	first, latest string
	looked, swept string // the latest hour when old ones were looked for, and dropped
	near          [nearSent]nearHour
}

// nearSent is how many accounts are found without a look into the maps.
const nearSent = 1 << 6

// nearHour is an entry that was found before.
type nearHour struct {
	account, hour string
	entry         *SentHour // nil at first
}

// nearOf returns the slot of an account.
func (l *sentHours) nearOf(account string) *nearHour {
	n := len(account)
	if n == 0 {
		return &l.near[0]
	}
	return &l.near[(n+7*int(account[0])+31*int(account[n-1])+61*int(account[n/2]))%nearSent]
}

// addSent counts what an account sent.
func (f *Figures) addSent(account, hour string, more SentHour) {
	l := f.sent.nearOf(account)
	if l.entry == nil || l.hour != hour || l.account != account {
		entry := f.sentAt(account, hour)
		if entry == nil {
			return
		}
		*l = nearHour{account, hour, entry}
	}
	l.entry.Recipients += more.Recipients
	l.entry.Failed += more.Failed
}

// sentAt returns an account's entry of an hour, nil if there are too many accounts.
func (f *Figures) sentAt(account, hour string) *SentHour {
	l := &f.sent
	if l.first == "" || hour < l.first {
		l.first, l.looked, l.swept = hour, "", ""
	}
	if hour > l.latest {
		l.latest = hour
	}
	hours := f.Sent[account]
	if hours == nil {
		if len(f.Sent) >= maxKeys {
			return nil
		}
		hours = map[string]*SentHour{}
		f.Sent[strings.Clone(account)] = hours
	}
	if hours[hour] == nil {
		hours[hour] = &SentHour{}
	}
	return hours[hour]
}

// sweepSent drops hours that are long over and in which an account sent little. Nobody
// may call it amid a merge, whose hours come in any order.
func (f *Figures) sweepSent() {
	l := &f.sent
	if l.latest == l.looked {
		return
	}
	l.looked = l.latest
	if l.swept == "" {
		l.swept = l.first
	}
	if hourBefore(l.latest, sentSwept) <= l.swept {
		return
	}
	l.swept, l.near = l.latest, [nearSent]nearHour{}
	oldest := hourBefore(l.latest, sentKept)
	for account, hours := range f.Sent {
		for hour, sent := range hours {
			if hour < oldest && hour != l.first && sent.Recipients < ManyRecipients {
				delete(hours, hour)
			}
		}
		if len(hours) == 0 {
			delete(f.Sent, account)
		}
	}
}

// hourForm is that of the keys of hours.
const hourForm = "2006-01-02T15"

// hourBefore returns the key of the hour so long before another, as clocks without summer
// time count; "" if the key is none.
func hourBefore(key string, by time.Duration) string {
	at, err := time.Parse(hourForm, key)
	if err != nil {
		return ""
	}
	return at.Add(-by).Format(hourForm)
}
