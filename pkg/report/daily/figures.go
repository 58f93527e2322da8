// Package daily counts the work of a mail system in a window of time: mails received,
// delivered, deferred, bounced and refused, by hour, domain, sender, reason. It takes the
// flow records of Postfix (event.Flow) and the events of the engine in the order of the
// log.
//
// The problem: one mail is many log lines and often several queue files. A mail that
// passes a content filter is received and delivered twice in the log, and counting lines
// counts it twice. The mechanism: a Tracker follows each queue file from birth to removal
// and links the file that a filter handed back to the one it was made from. The results
// go into Figures, which are sums and sets, so two halves of a day merge into the day.
//
// The package does no I/O and reads no clock. It never decides about a client.
package daily

import (
	"net/netip"
	"strings"
	"time"

	"csmail/pkg/event"
)

// Figures are the counts of one window. The zero value is not ready: use NewFigures. All
// fields can be stored and merged. A correction after its window was stored is a negative
// count in other Figures, which are merged later.
type Figures struct {
	ReceivedBy  Counts `json:"received_by"`  // mx, submission, local
	DeliveredBy Counts `json:"delivered_by"` // by delivery agent: lmtp, smtp …
	RejectedBy  Counts `json:"rejected_by"`  // by daemon: smtpd, postscreen, cleanup

	Forwarded         int `json:"forwarded"`
	Requeued          int `json:"requeued"` // handed to a content filter; no delivery
	Deferrals         int `json:"deferrals"`
	Bounced           int `json:"bounced"`
	Expired           int `json:"expired"`
	NotCompleted      int `json:"not_completed"` // queue files of clients that gave up
	Unsized           int `json:"unsized"`       // deliveries of unknown size
	RejectedTemporary int `json:"rejected_temporary"`
	RejectWarnings    int `json:"reject_warnings"`
	Held              int `json:"held"`
	Discarded         int `json:"discarded"`
	DiscardedByFilter int `json:"discarded_by_filter"`

	BytesReceived  int64 `json:"bytes_received"`
	BytesDelivered int64 `json:"bytes_delivered"`

	SMTPDConnections  int `json:"smtpd_connections"`
	SMTPDSeconds      int `json:"smtpd_seconds"` // of the connections that ended
	ScreenConnections int `json:"postscreen_connections"`

	Deferred        Tally           `json:"deferred"` // deferrals of each mail
	RejectedClients Set[netip.Addr] `json:"rejected_clients"`
	SMTPDClients    Set[netip.Addr] `json:"smtpd_clients"`
	ScreenClients   Set[netip.Addr] `json:"postscreen_clients"`
	Users           Set[string]     `json:"users"` // accounts that logged in

	LoginsOK     int `json:"logins_ok"`
	LoginsFailed int `json:"logins_failed"`

	Sent       map[string]map[string]*SentHour `json:"sent"` // by account that logged in to send, and hour
	LoginHours map[string]*LoginHour           `json:"login_hours"`
	Connected  map[string]*Connected           `json:"connected"` // by host or its domain

	ConnectedHours map[string]*Connected `json:"connected_hours"`

	Hours map[string]*Hour `json:"hours"` // as the others by "2006-01-02T15" in the report's zone

	DeliveryDomains map[string]*Traffic `json:"delivery_domains"`
	ReceivedDomains map[string]*Traffic `json:"received_domains"`
	Senders         map[string]*Traffic `json:"senders"`
	Recipients      map[string]*Traffic `json:"recipients"`

	Refusals  map[string]map[string]map[string]*Refusal `json:"refusals"` // by action, stage, reason
	Bounces   map[string]Counts                         `json:"bounces"`  // by relay and reason
	Deferring map[string]Counts                         `json:"deferring"`
	Trouble   map[string]map[string]Counts              `json:"trouble"`         // by level, daemon, text
	Spans     map[string]*Span                          `json:"spans,omitempty"` // of this host's own trouble, by cause
	Master    Counts                                    `json:"master"`
	TLS       Counts                                    `json:"tls"` // handshakes by protocol version

	latest latest
	spent  spent
	sent   sentHours
}

// latest are entries that were counted in last: the next line mostly counts in the same.
type latest struct {
	hourKey  string
	hour     *Hour
	loginKey string
	logins   *LoginHour
	endedKey string
	ended    *Connected // of ConnectedHours
	clients  *knownClients
	reasons  [32]knownReason
	refusals [8]latestRefusal
	trouble  latestTrouble
	room     []byte // for the text of a reason

	receivedBy, deliveredBy, rejectedBy, tls knownCounts
	senders, recipients                      *knownTraffic
}

type latestRefusal struct {
	action        event.Action
	stage, reason string
	entry         *Refusal
}

type latestTrouble struct {
	level  event.Level
	daemon string
	counts Counts
}

// Hour holds the counts of one hour.
type Hour struct {
	Received  int `json:"received"`
	Delivered int `json:"delivered"`
	Deferrals int `json:"deferrals"`
	Bounced   int `json:"bounced"`
	Rejected  int `json:"rejected"`

	Connections int `json:"-"` // of smtpd but this host's, and of postscreen
}

// LoginHour holds the logins of one hour.
type LoginHour struct {
	OK     int `json:"ok"`
	Failed int `json:"failed"`
}

// Plus returns the sum of two hours.
func (h Hour) Plus(o Hour) Hour {
	return Hour{
		h.Received + o.Received, h.Delivered + o.Delivered, h.Deferrals + o.Deferrals, h.Bounced + o.Bounced, h.Rejected + o.Rejected, h.Connections + o.Connections,
	}
}

// Traffic counts the mails of a domain or a mail address.
type Traffic struct {
	Count     int   `json:"count"`
	Bytes     int64 `json:"bytes"`
	Deferrals int   `json:"deferrals,omitempty"`

	DelaySum time.Duration `json:"delay_sum,omitempty"` // of the deliveries
	DelayMax time.Duration `json:"delay_max,omitempty"`

	// When the latest mail was delivered, and from when to when others were deferred, in
	// Unix seconds; 0 for never. Reason is that of the last deferral.
	Delivered, DeferredFrom, DeferredTo uint32 `json:",omitempty"`
	Reason                              string `json:",omitempty"`

	domain *Traffic // of a mail address: that of its domain, once it is known
}

// add adds the counts of o.
func (t *Traffic) add(o *Traffic) {
	t.Count += o.Count
	t.Bytes += o.Bytes
	t.Deferrals += o.Deferrals
	t.DelaySum += o.DelaySum
	t.DelayMax = max(t.DelayMax, o.DelayMax)
	t.Delivered = max(t.Delivered, o.Delivered)
	if o.DeferredFrom == 0 {
		return
	}
	if t.DeferredFrom == 0 || o.DeferredFrom < t.DeferredFrom {
		t.DeferredFrom = o.DeferredFrom
	}
	if o.DeferredTo > t.DeferredTo || o.DeferredTo == t.DeferredTo && o.Reason > t.Reason {
		t.DeferredTo, t.Reason = o.DeferredTo, strings.Clone(o.Reason)
	}
}

// SentHour counts what an account sent in one hour, by recipient. A mail counts in the
// hour in which it was received.
type SentHour struct {
	Recipients int `json:"recipients"`
	Failed     int `json:"failed"` // bounced, or deferred at the first attempt
}

// isEmpty reports whether nothing is left, for example after the only mail was undone.
func (t Traffic) isEmpty() bool { return t.Count == 0 && t.Deferrals == 0 && t.Bytes == 0 }

// Refusal counts the refused commands of one reason.
type Refusal struct {
	Total     int     `json:"total"`
	Temporary int     `json:"temporary"`
	By        Clients `json:"by"`
	Senders   Counts  `json:"senders,omitempty"`    // for reasons about the sender
	Rcpts     Counts  `json:"recipients,omitempty"` // for reasons about the recipient
}

// Clean takes out the entries that came to nothing. Nothing may be merged after it
// that takes something back.
func (f *Figures) Clean() {
	for _, traffic := range []map[string]*Traffic{f.DeliveryDomains, f.ReceivedDomains, f.Senders, f.Recipients} {
		dropEmpty(traffic)
	}
	for key, h := range f.Hours {
		if *h == (Hour{}) {
			delete(f.Hours, key)
		}
	}
}

// Clients counts by the address of a client. The zero Addr stands for those that are
// unknown or found no room.
type Clients map[netip.Addr]*int

// Plain returns the counts by the text of the address.
func (c Clients) Plain() map[string]int {
	plain := make(map[string]int, len(c))
	for addr, n := range c {
		name := "unknown"
		if addr.IsValid() {
			name = addr.String()
		}
		plain[name] = *n
	}
	return plain
}

// The bounds of a window's memory, however long its log is. What finds no room is counted
// under others, or with the zero address. Of sets only the first members are kept.
const (
	// maxKeys bounds each map and set whose keys are client text.
	maxKeys = 200_000
	// maxTexts bounds the maps whose keys are the words of log lines, which are long, and
	// maxAllTexts all of them together.
	maxTexts    = 5000
	maxAllTexts = 20_000
	// maxOwnTexts is how many more there may be of each cause of this host's own trouble.
	maxOwnTexts = 200
	// maxRefused bounds the clients of all reasons of refusals together, and the mail
	// addresses.
	maxRefused = 200_000
	// maxRelays bounds the relays of bounces.
	maxRelays = 20_000
	// maxReasons is the number of reasons of one stage, because a policy server may put
	// client text into each; maxStages is the number of stages of one action.
	maxReasons = 5000
	maxStages  = 100
	// maxHours bounds the hours with figures: more than two years.
	maxHours = 20_000
)

// others is the key of all that found no room.
const others = "(others)"

// NewFigures returns empty figures.
func NewFigures() *Figures {
	return &Figures{
		ReceivedBy: Counts{}, DeliveredBy: Counts{}, RejectedBy: Counts{},
		Deferred: Tally{}, RejectedClients: Set[netip.Addr]{}, SMTPDClients: Set[netip.Addr]{}, ScreenClients: Set[netip.Addr]{}, Users: Set[string]{},
		Hours: map[string]*Hour{}, LoginHours: map[string]*LoginHour{}, DeliveryDomains: map[string]*Traffic{}, ReceivedDomains: map[string]*Traffic{},
		Senders: map[string]*Traffic{}, Recipients: map[string]*Traffic{},
		Refusals: map[string]map[string]map[string]*Refusal{}, Bounces: map[string]Counts{}, Deferring: map[string]Counts{},
		Connected: map[string]*Connected{}, ConnectedHours: map[string]*Connected{},
		Sent: map[string]map[string]*SentHour{}, Trouble: map[string]map[string]Counts{}, Master: Counts{}, TLS: Counts{},
	}
}

// login counts logins of one hour.
func (f *Figures) login(hour string, ok, failed int) {
	f.LoginsOK += ok
	f.LoginsFailed += failed
	f.addLogins(hour, LoginHour{ok, failed})
}

// Received returns the number of mails received.
func (f *Figures) Received() int { return sum(f.ReceivedBy) }

// Delivered returns the number of deliveries, one a recipient.
func (f *Figures) Delivered() int { return sum(f.DeliveredBy) }

// Rejected returns the number of refused commands.
func (f *Figures) Rejected() int { return sum(f.RejectedBy) }

// RejectedPercent returns 100·rejected/(delivered+rejected+discarded).
func (f *Figures) RejectedPercent() float64 {
	all := f.Delivered() + f.Rejected() + f.Discarded
	if all == 0 {
		return 0
	}
	return 100 * float64(f.Rejected()) / float64(all)
}

func sum(counts Counts) int {
	n := 0
	for _, c := range counts {
		n += *c
	}
	return n
}

// Details returns the refusals of one action (reject, warning, hold, discard) by
// stage and reason. The maps are those of f.
func (f *Figures) Details(action string) map[string]map[string]*Refusal {
	if f.Refusals[action] == nil {
		return map[string]map[string]*Refusal{}
	}
	return f.Refusals[action]
}

// actionNames are the keys of Figures.Refusals.
var actionNames = [...]string{event.NoAction: "", event.Reject: "reject", event.RejectWarning: "warning", event.HoldMail: "hold", event.DiscardMail: "discard"}

// actionOf returns the action of a key of Figures.Refusals.
func actionOf(name string) event.Action {
	for action, known := range actionNames {
		if known == name {
			return event.Action(action)
		}
	}
	return event.NoAction
}

// levelNames are the keys of Figures.Trouble.
var levelNames = [...]string{event.NoLevel: "", event.Warning: "warning", event.Error: "error", event.Fatal: "fatal", event.Panic: "panic"}

// levelOf returns the level of a key of Figures.Trouble.
func levelOf(name string) event.Level {
	for level, known := range levelNames {
		if known == name {
			return event.Level(level)
		}
	}
	return event.NoLevel
}
