package daily

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"csmail/pkg/event"
)

// Set holds distinct values, at most maxKeys of them. It is stored as a list.
type Set[T comparable] map[T]struct{}

func (s Set[T]) add(value T) {
	if len(s) < maxKeys {
		s[value] = struct{}{}
	}
}

// MarshalJSON writes the members as a sorted list, so that equal sets are equal
// text.
func (s Set[T]) MarshalJSON() ([]byte, error) {
	list := slices.Collect(maps.Keys(s))
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	if list == nil {
		list = []T{}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads the form of MarshalJSON.
func (s *Set[T]) UnmarshalJSON(text []byte) error {
	var list []T
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("reading a set: %w", err)
	}
	*s = make(Set[T], len(list))
	for _, v := range list {
		s.add(v)
	}
	return nil
}

// Tally counts the deferrals of each mail, which is named by a hash of its host, queue
// ID and birth. A mail without any is not in it.
type Tally map[uint64]int

func (t Tally) add(mail uint64, n int) {
	if _, known := t[mail]; !known && len(t) >= maxKeys {
		return
	}
	if t[mail] += n; t[mail] == 0 {
		delete(t, mail)
	}
}

// mergeSets adds the values of a set as long as there is room.
func mergeSets[T comparable](into, from Set[T]) {
	for v := range from {
		into.add(v)
	}
}

// Merge adds o to f. The order of merges does not matter.
func (f *Figures) Merge(o *Figures) {
	addTotals(f, o)
	for mail, n := range o.Deferred {
		f.Deferred.add(mail, n)
	}
	mergeSets(f.RejectedClients, o.RejectedClients)
	mergeSets(f.SMTPDClients, o.SMTPDClients)
	mergeSets(f.ScreenClients, o.ScreenClients)
	mergeSets(f.Users, o.Users)
	for key, h := range o.Hours {
		sum := f.hour(key)
		*sum = sum.Plus(*h)
	}
	for key, h := range o.LoginHours {
		f.addLogins(key, *h)
	}
	from := o.lists().connected
	for which, into := range f.lists().connected {
		for key, one := range from[which] {
			addConnected(into, key, *one)
		}
	}
	for account, hours := range o.Sent {
		for hour, sent := range hours {
			f.addSent(account, hour, *sent)
		}
	}
	f.sweepSent()
	f.mergeMaps(o)
}

// addTotals adds the sums of o to those of f.
func addTotals(f, o *Figures) {
	more := o.totals()
	for i, sum := range f.totals() {
		*sum += *more[i]
	}
	f.BytesReceived += o.BytesReceived
	f.BytesDelivered += o.BytesDelivered
}

func (f *Figures) addLogins(hour string, more LoginHour) {
	l := &f.latest
	if l.logins == nil || l.loginKey != hour {
		l.loginKey, l.logins = hour, atHour(f.LoginHours, hour)
	}
	l.logins.OK += more.OK
	l.logins.Failed += more.Failed
}

// mergeMaps adds the maps of o.
func (f *Figures) mergeMaps(o *Figures) {
	for _, pair := range [...][2]Counts{
		{f.ReceivedBy, o.ReceivedBy}, {f.DeliveredBy, o.DeliveredBy}, {f.RejectedBy, o.RejectedBy}, {f.Master, o.Master}, {f.TLS, o.TLS},
	} {
		mergeCounts(pair[0], pair[1])
	}
	for _, pair := range [...][2]map[string]*Traffic{
		{f.DeliveryDomains, o.DeliveryDomains}, {f.ReceivedDomains, o.ReceivedDomains}, {f.Senders, o.Senders}, {f.Recipients, o.Recipients},
	} {
		for key, t := range pair[1] {
			sum, _ := trafficAt(pair[0], key)
			sum.add(t)
		}
	}
	mergeAllTexts(f, o)
	for cause, span := range o.Spans {
		addSpan(f, cause, *span)
	}
	for action, stages := range o.Refusals {
		for stage, reasons := range stages {
			for reason, r := range reasons {
				into, _ := f.refusal(actionOf(action), stage, []byte(reason))
				f.mergeRefusal(into, r)
			}
		}
	}
}

// mergeRefusal adds the counts of o to r, one of f.
func (f *Figures) mergeRefusal(r, o *Refusal) {
	r.Total += o.Total
	r.Temporary += o.Temporary
	for addr, n := range o.By {
		f.addClient(r.By, addr, *n)
	}
	for _, pair := range [...]struct{ into, from *Counts }{{&r.Senders, &o.Senders}, {&r.Rcpts, &o.Rcpts}} {
		for address, n := range *pair.from {
			f.addAddress(pair.into, address, *n)
		}
	}
}

// mergeAllTexts adds the counts by the words of log lines. Where there is no room for all,
// it takes them in the order of their keys, so that two runs come to the same.
func mergeAllTexts(f, o *Figures) {
	isShort := f.spent.texts+o.texts() > maxAllTexts
	for _, pair := range [...][2]map[string]Counts{{f.Bounces, o.Bounces}, {f.Deferring, o.Deferring}} {
		for key, counts := range pairs(pair[1], isShort) {
			into := inner(pair[0], key)
			for text, n := range pairs(counts, isShort || len(into)+len(counts) > maxTexts) {
				f.addText(into, text, *n)
			}
		}
	}
	for name, daemons := range pairs(o.Trouble, isShort) {
		level := levelOf(name)
		for daemon, counts := range pairs(daemons, isShort) {
			into := inner(inner2(f.Trouble, name), daemon)
			isFull := isShort || len(into)+len(counts) > maxTexts
			for text, n := range pairs(counts, isFull) {
				if isFull {
					f.addTrouble(into, CauseOf(level, text), text, *n)
				} else {
					f.addText(into, text, *n)
				}
			}
		}
	}
}

// texts returns how many texts are kept.
func (f *Figures) texts() (n int) {
	for _, reasons := range [...]map[string]Counts{f.Bounces, f.Deferring} {
		for _, counts := range reasons {
			n += len(counts)
		}
	}
	for _, daemons := range f.Trouble {
		for _, counts := range daemons {
			n += len(counts)
		}
	}
	return n
}

// pairs returns the entries of a map, in the order of the keys if it is to be sorted.
func pairs[V any](m map[string]V, isSorted bool) iter.Seq2[string, V] {
	if !isSorted {
		return maps.All(m)
	}
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

// mergeCounts adds counts by key.
func mergeCounts(into, from Counts) {
	for key, n := range from {
		addCount(into, key, *n)
	}
}

// inner returns the map below a key of m.
func inner(m map[string]Counts, key string) Counts {
	if counts := m[key]; counts != nil {
		return counts
	}
	if len(m) >= maxRelays {
		key = others
	}
	if m[key] == nil {
		m[strings.Clone(key)] = Counts{}
	}
	return m[key]
}

func inner2(m map[string]map[string]Counts, key string) map[string]Counts {
	if m[key] == nil {
		m[strings.Clone(key)] = map[string]Counts{}
	}
	return m[key]
}

// refusal returns the entry of a reason, and the reason as a text that may be kept.
func (f *Figures) refusal(action event.Action, stage string, reason []byte) (*Refusal, string) {
	slot := &f.latest.refusals[len(reason)%len(f.latest.refusals)]
	if slot.entry == nil || slot.reason != string(reason) || slot.stage != stage || slot.action != action {
		*slot = latestRefusal{action, strings.Clone(stage), string(reason), nil}
		slot.entry = newRefusal(f.Refusals, actionNames[action], slot.stage, slot.reason)
	}
	return slot.entry, slot.reason
}

// newRefusal finds or makes the entry of a reason. It keeps the texts.
func newRefusal(all map[string]map[string]map[string]*Refusal, action, stage, reason string) *Refusal {
	if known := all[action][stage][reason]; known != nil {
		return known
	}
	if all[action] == nil {
		all[action] = map[string]map[string]*Refusal{}
	}
	stages := all[action]
	if stages[stage] == nil {
		if len(stages) >= maxStages && stage != others {
			return newRefusal(all, action, others, reason)
		}
		stages[stage] = map[string]*Refusal{}
	}
	reasons := stages[stage]
	if len(reasons) >= maxReasons {
		reason = others
	}
	if reasons[reason] == nil {
		reasons[reason] = &Refusal{By: Clients{}}
	}
	return reasons[reason]
}
