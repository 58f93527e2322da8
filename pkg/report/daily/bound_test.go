package daily

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"csmail/pkg/event"
)

// entriesOf counts what the maps of a value hold, at each depth.
func entriesOf(v reflect.Value) int {
	n := 0
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n = entriesOf(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				n += entriesOf(v.Field(i))
			}
		}
	case reflect.Map:
		n = v.Len()
		switch v.Type().Elem().Kind() {
		case reflect.Map, reflect.Pointer:
			for of := v.MapRange(); of.Next(); {
				n += entriesOf(of.Value())
			}
		}
	}
	return n
}

// A log whose every name is a new one: what is beyond the bounds counts as others, and all
// of it counts in the totals.
func TestFiguresAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const lines, few = maxKeys + 20_000, maxAllTexts + 10_000
	f := NewFigures()
	tracker := NewTracker(Options{At: func(time.Time) *Figures { return f }})
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(pid int, flow event.Flow) {
		tracker.Add(&event.Logged{Time: at, Host: "mx1", PID: pid}, &flow)
	}
	for i := range lines {
		at = at.Add(8 * time.Minute) // 1,222 days
		client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		id, name := fmt.Sprintf("AA%06X", i), fmt.Sprintf("n%d@d%d.example", i, i)
		add(i%1000, event.Flow{Kind: event.FlowConnect, Daemon: "smtpd", Addr: client})
		add(1, event.Flow{Kind: event.FlowScreened, Daemon: "postscreen", Addr: client})
		add(i%1000, event.Flow{Kind: event.FlowReceived, Daemon: "smtpd", QueueID: id, Addr: client, User: fmt.Sprintf("user%d", i%100_000)})
		add(2, event.Flow{Kind: event.FlowQueued, Daemon: "qmgr", QueueID: id, Sender: name, Size: 1})
		add(3, event.Flow{Kind: event.FlowDelivery, Daemon: "lmtp", QueueID: id, Recipient: name, Status: "sent"})
		add(2, event.Flow{Kind: event.FlowRemoved, Daemon: "qmgr", QueueID: id})
		add(i%1000, event.Flow{
			Kind: event.FlowRefusal, Daemon: "smtpd", Action: event.Reject, Addr: client, Stage: fmt.Sprintf("S%d", i%1000), Sender: name, HasSender: true,
			Text: fmt.Sprintf("554 5.7.1 <%s>: Sender address rejected: no%d", name, i%7000),
		})
		if i >= few {
			continue
		}
		add(4, event.Flow{Kind: event.FlowTrouble, Daemon: "smtpd", Level: event.Warning, Text: fmt.Sprintf("oh%d", i)})
		add(3, event.Flow{Kind: event.FlowDelivery, Daemon: "smtp", QueueID: id, Recipient: name, Status: "bounced", Relay: fmt.Sprintf("mx%d", i), Text: fmt.Sprintf("550 no%d", i)})
		add(3, event.Flow{Kind: event.FlowDelivery, Daemon: "smtp", QueueID: id, Recipient: name, Status: "deferred", Text: fmt.Sprintf("450 no%d", i)})
		add(4, event.Flow{Kind: event.FlowMaster, Daemon: "master", Text: fmt.Sprintf("reload %d", i)})
	}
	tracker.Finish()
	traffic, sets, counts := 4*maxKeys, 5*maxKeys, 6*maxKeys
	refused := 2*maxRefused + 2*4*maxStages*(maxReasons+2)
	if got, most := entriesOf(reflect.ValueOf(f)), traffic+sets+counts+refused+2*maxHours+2*maxAllTexts+4*maxRelays; got > most {
		t.Errorf("%d entries, at most %d are wanted", got, most)
	}
	texts, clients, addresses := 0, 0, 0
	for _, reasons := range f.lists().reasons {
		for _, counts := range reasons {
			texts += len(counts)
		}
	}
	for _, counts := range f.Trouble["warning"] {
		texts += len(counts)
	}
	total := 0
	for _, reasons := range f.Refusals["reject"] {
		for _, r := range reasons {
			clients, addresses, total = clients+len(r.By), addresses+len(r.Senders), total+r.Total
			if sum(r.Senders) != r.Total {
				t.Fatalf("%d refusals by sender, %d in all", sum(r.Senders), r.Total)
			}
		}
	}
	for _, tt := range []struct {
		name      string
		got, most int
	}{
		{"senders", len(f.Senders), maxKeys + 1},
		{"recipient domains", len(f.DeliveryDomains), maxKeys + 1},
		{"smtpd's clients", len(f.SMTPDClients), maxKeys},
		{"hours", len(f.Hours), maxHours + 24},
		{"relays", len(f.Bounces), maxRelays + 1},
		{"texts", texts, maxAllTexts + maxRelays + 3},
		{"stages", len(f.Refusals["reject"]), maxStages + 1},
		{"clients of refusals", clients, maxRefused + (maxStages+1)*(maxReasons+1)},
		{"senders of refusals", addresses, maxRefused + (maxStages+1)*(maxReasons+1)},
		{"accounts that sent", len(f.Sent), 500},
	} {
		if tt.got > tt.most {
			t.Errorf("%s: %d, at most %d are wanted", tt.name, tt.got, tt.most)
		}
	}
	byHour := Hour{}
	for _, h := range f.Hours {
		byHour = byHour.Plus(*h)
	}
	bySender := 0
	for _, s := range f.Senders {
		bySender += s.Count
	}
	for name, got := range map[string]int{
		"received": f.Received(), "by sender": bySender, "by hour": byHour.Received, "delivered": f.Delivered(), "rejected": f.Rejected(), "refused by reason": total,
		"connections": f.SMTPDConnections, "rejected by hour": byHour.Rejected,
	} {
		if got != lines {
			t.Errorf("%s: got %d, want %d", name, got, lines)
		}
	}
	if f.Bounced != few || f.Deferrals != few || sum(f.Master) != few {
		t.Errorf("%d bounced, %d deferred, %d messages of master; want %d", f.Bounced, f.Deferrals, sum(f.Master), few)
	}
	if got := f.Senders[others]; got == nil || got.Count != lines-maxKeys {
		t.Errorf("others among the senders: got %+v, want %d", got, lines-maxKeys)
	}
}

// Of a month, the hours in which an account sent much are kept, and of the others the
// latest alone; a month that is cut anywhere and merged is the month.
func TestSentHoursOfAMonth(t *testing.T) {
	type mail struct {
		account, hour string
		recipients    int
	}
	random := rand.New(rand.NewPCG(1, 2))
	var mails []mail
	for hour := range 30 * 24 {
		at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hour) * time.Hour).Format(hourForm)
		for account := range 20 {
			for range 1 + random.IntN(3) {
				mails = append(mails, mail{fmt.Sprint("user", account), at, 1 + random.IntN(90)})
			}
		}
	}
	count := func(mails []mail) *Figures {
		f := NewFigures()
		for _, m := range mails {
			f.addSent(m.account, m.hour, SentHour{Recipients: m.recipients, Failed: 1})
			f.sweepSent()
		}
		return f
	}
	bulk := func(f *Figures) map[string]int {
		big := map[string]int{}
		for account, hours := range f.Sent {
			for hour, sent := range hours {
				if sent.Recipients >= ManyRecipients {
					big[account+hour] = sent.Recipients
				}
			}
		}
		return big
	}
	whole := map[string]int{}
	for _, m := range mails {
		whole[m.account+m.hour] += m.recipients
	}
	for key, n := range whole {
		if n < ManyRecipients {
			delete(whole, key)
		}
	}
	if len(whole) < 100 {
		t.Fatalf("the month has only %d hours of much mail", len(whole))
	}
	check := func(what string, f *Figures) {
		t.Helper()
		if got := bulk(f); !reflect.DeepEqual(got, whole) {
			t.Fatalf("%s: got %d hours of much mail, want %d, or others", what, len(got), len(whole))
		}
		n := 0
		for _, hours := range f.Sent {
			n += len(hours)
		}
		if most := len(whole) + 20*45; n > most {
			t.Fatalf("%s: %d hours are kept, at most %d are wanted", what, n, most)
		}
	}
	check("whole", count(mails))
	for range 20 {
		cut := random.IntN(len(mails))
		f := count(mails[:cut])
		f.Merge(count(mails[cut:]))
		check(fmt.Sprintf("cut at %d of %d", cut, len(mails)), f)
		f = count(mails[cut:])
		f.Merge(count(mails[:cut]))
		check(fmt.Sprintf("cut at %d of %d, the later first", cut, len(mails)), f)
	}
}
