package event

import (
	"net/netip"
	"time"
)

// FlowKind is the step in the life of a mail that a log line reports.
type FlowKind uint8

// The steps, each with the Postfix daemon that logs it.
const (
	NoFlow         FlowKind = iota
	FlowReceived            // smtpd, qmqpd: a queue file was opened for a client
	FlowSubmitted           // pickup: a queue file was made from sendmail(1)
	FlowMessageID           // cleanup: the Message-ID header of a queue file
	FlowQueued              // qmgr: a queue file became active; it has a sender and a size
	FlowDelivery            // a delivery agent: the result for one recipient
	FlowExpired             // qmgr: given up after maximal_queue_lifetime
	FlowRemoved             // qmgr, cleanup: the queue file is gone
	FlowRefusal             // smtpd, postscreen, cleanup: reject, hold, discard, or a warning instead
	FlowConnect             // smtpd: a client connected
	FlowScreened            // postscreen: a client connected
	FlowDisconnect          // smtpd: a client's session ended
	FlowTLS                 // smtpd: a TLS handshake succeeded
	FlowTrouble             // any daemon: warning, error, fatal, panic
	FlowMaster              // master: start, stop, reload and the like
)

// Action is Postfix's response to a command or mail that matched a rule.
type Action uint8

// The actions of access tables, header checks and mail filters.
const (
	NoAction      Action = iota
	Reject               // refused, for now or permanently
	RejectWarning        // would have been refused (warn_if_reject, WARN)
	HoldMail             // put on hold
	DiscardMail          // accepted and thrown away
)

// Level is the severity word at the start of a message.
type Level uint8

// The severities of Postfix's msg_info(3) family.
const (
	NoLevel Level = iota
	Warning
	Error
	Fatal
	Panic
)

// Logged is when and where a line was logged.
type Logged struct {
	Time time.Time
	Host string // "" if the line does not name it
	PID  int    // 0 if the line has none
}

// Logged returns when and where the record's line was logged.
func (r *Record) Logged() Logged { return Logged{r.Time, r.Host, r.PID} }

// Flow is what one log line of Postfix reports about the way of a mail: it was received,
// delivered or refused. It is separate from Event, because it says nothing for or
// against a client. No scenario and no guard rule ever sees it. Time, host and
// process are a [Logged] beside it. Its strings may point into the
// text of the log; see [Event.Clone].
//
// For example, "4F1: to=<bob@example.org>, relay=mx[192.0.2.1]:25, delay=1.2, dsn=2.0.0,
// status=sent (250 ok)" is a FlowDelivery with QueueID 4F1.
type Flow struct {
	Kind    FlowKind
	Repeat  int    // how many lines this one stands for ("message repeated N times"); at least 1
	Daemon  string // the last element of the syslog tag: smtpd
	Service string // the element before it: submission in postfix/submission/smtpd
	QueueID string // "" where the line has none or NOQUEUE

	Addr   netip.Addr // the client's; the zero Addr if the line has no trusted one
	Client string     // its verified name, or "unknown"
	User   string     // sasl_username

	Sender    string // envelope sender without brackets; "" may be the null sender, see HasSender
	HasSender bool
	Recipient string
	Original  string // orig_to
	ID        string // Message-ID, or the queue ID before a content filter (orig_queue_id) or postsuper -r (orig_id)

	Size  int64         // bytes, of FlowQueued
	Relay string        // the relay's name without address and port, "none", or a transport's name
	Local bool          // the relay's address is a loopback address
	Delay time.Duration // since the queue file was opened, of FlowDelivery

	Status string // sent, deferred, bounced, deliverable, … of FlowDelivery
	Text   string // the reply or reason, of FlowDelivery, FlowRefusal, FlowTrouble and FlowMaster

	Action  Action // of FlowRefusal
	Filter  bool   // a milter decided
	Proxied bool   // smtpd_proxy_filter decided
	Stage   string // RCPT, DATA, END-OF-MESSAGE, header, body …

	Level     Level // of FlowTrouble
	HasCounts bool  // the FlowDisconnect counts commands, as Postfix 3.0 and newer do
	AuthOK    int   // AUTH commands that succeeded
	AuthTotal int
	Version   string // TLSv1.3, of FlowTLS
}
