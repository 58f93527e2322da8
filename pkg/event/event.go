// Package event is the vocabulary of csmail: the result of reading a log line (Record),
// the deed or failure that it reports (Event, Kind, Class), the way of a mail (Flow), and
// the report to CrowdSec about a source (Alert). Everything after the grammars uses it.
//
// It also holds the value types that all rooms share, so that they cannot differ: the set
// of kinds, the account behind a login name, and the block and range of an address. For
// example, scenarios and guard count the logins "Bob@Example.ORG" and "bob@example.org"
// as the same account.
//
// The package imports no other package of csmail, reads no log text and does no I/O.
package event

import (
	"net/netip"
	"strings"
	"time"
	"unsafe"
)

// Service is the mail service that a client talked to.
type Service uint8

// The services.
const (
	NoService Service = iota
	Postfix
	Postscreen
	Dovecot
	SSHD
	serviceCount
)

var serviceNames = [serviceCount]string{NoService: "", Postfix: "postfix", Postscreen: "postscreen", Dovecot: "dovecot", SSHD: "sshd"}

// String returns the service's name, as printed and as scenarios see it.
func (s Service) String() string { return serviceNames[s] }

// PAM is the Mechanism of a failed login that a PAM module reported. The daemon that
// called PAM mostly reports the same login too.
const PAM = "PAM"

// PasswordMark identifies a tried password: 12 bits of a salted hash of account and
// password, as Dovecot's auth policy sends them (auth-policy.c,
// auth_policy_hash_truncate). It distinguishes one password that a phone repeats from
// many different ones, and does not suffice to find the password.
type PasswordMark uint16

// Event is what one log line reports: something a client did, or a failure on our side.
// Its strings may point into the block of text that the line came from. Call Clone to
// keep an Event after its block is released. (The frequent fields come first: a log
// makes millions of Events.)
type Event struct {
	Service  Service
	Kind     Kind
	Phase    Phase
	Cause    Cause
	PID      int // 0 if the line has none
	Attempts int // how many times it happened, as the line says; at least 1

	// Password marks the password of a failed login: equal marks on one account mean the
	// same password. It comes from Dovecot's auth policy, never from a log line. It is 0
	// if it is not known, or if several attempts with different passwords are counted.
	Password PasswordMark

	// Addr is the connecting client's address, unmapped and without zone. It is the zero
	// Addr if the line has no address that can be trusted.
	Addr netip.Addr

	Time       time.Time
	ClientName string // verified PTR name, or "unknown"
	Session    string // queue ID, Dovecot session or the client's port at postscreen, "" if none
	Program    string // as logged: postfix/submission/smtpd, dovecot/imap-login
	Host       string // the host that logged, "" if the line does not name it

	User      string // login name as the client sent it
	Reason    string // the server's own words
	Code      string // SMTP reply and enhanced code: "554 5.7.1"
	Message   string // the raw message, after the syslog header
	Helo      string
	Sender    string
	Recipient string
	Mechanism string // SASL mechanism, SSH method, or PAM
}

// Outcome is the result of reading a line.
type Outcome uint8

// The outcomes of a line.
const (
	NoHeader  Outcome = iota // no log line at all: no header was recognised
	Foreign                  // a line of another program
	Benign                   // known, and says nothing against or for a client
	Missed                   // a daemon that csmail reads, but no grammar matched
	Ambiguous                // two readings fit, so neither was taken
	Witness                  // benign, but the session join and the guard need it
	Noted                    // an event
)

var outcomeNames = [...]string{"no-header", "foreign", "benign", "missed", "ambiguous", "witness", "event"}

// String names the outcome, for explanations.
func (o Outcome) String() string { return outcomeNames[o] }

// Testimony is the fact that a Witness line reports.
type Testimony uint8

// The testimonies.
const (
	NoTestimony  Testimony = iota
	Connected              // a client connected; ClientName is its verified name or "unknown"
	MailAccepted           // smtpd took a message; Session is its queue ID
	Disconnected           // the session of this process ended
	Repeated               // syslogd left out lines: the one before came Attempts times more
	Undelivered            // the session of this process ended, and no whole message came in it
	OwnAddress             // of a Noted line: the client's address is the one of the server, too
	Discarded              // a message was thrown away, put on hold or refused for now; Session is its queue ID, "" if it has none yet
)

// LastTestimony is the largest valid value in stored data.
const LastTestimony = Discarded

// EndsSession reports whether the session of the process ended.
func (t Testimony) EndsSession() bool { return t == Disconnected || t == Undelivered }

// Record is the result of one line. Event is filled for Noted and Witness.
type Record struct {
	Outcome   Outcome
	Testimony Testimony  // for Witness, and for a Noted line that is one as well
	Line      int64      // 1-based number of the line in its source
	Origin    Origin     // of Host and Program; zero: not computed yet, see From
	Withdrawn int        // messages logged as accepted (client=) that never arrived; set by session.Joiner
	Flow      *Flow      // the step of a mail that the line reports; nil unless asked for
	Hashed    HashedUser // of User; set by AccountUnder
	Event
}

// HashedUser is the hash of a record's account, and under which key it is.
type HashedUser struct {
	Under   uint64 // a digest of the key; 0: nothing is hashed yet
	Account AccountHash
	Login   uint64 // of the whole name, folded
}

// AccountUnder returns the hash of the account of User under a key. It is computed once:
// the session join, the guard and the scenarios all ask for it. User must not change
// afterwards.
func (r *Record) AccountUnder(k *HashKey) AccountHash {
	if r.User == "" {
		return AccountHash{}
	}
	r.hashUser(k)
	return r.Hashed.Account
}

// LoginUnder returns the hash under a key of User as [FoldLogin] returns it, computed
// once.
func (r *Record) LoginUnder(k *HashKey) uint64 {
	r.hashUser(k)
	return r.Hashed.Login
}

func (r *Record) hashUser(k *HashKey) {
	if under := k.digest(); r.Hashed.Under != under {
		account, whole := k.login(r.User)
		r.Hashed = HashedUser{under, account, whole}
	}
}

// Clone returns a copy that shares no text with the log it came from. The texts of the
// copy share one piece of memory.
func (e Event) Clone() Event {
	e.Detach()
	return e
}

// Detach does with the Event itself what Clone does with a copy. Most texts are parts of
// the message, and are parts of its copy afterwards.
func (e *Event) Detach() {
	texts := [...]*string{
		&e.Host, &e.Program, &e.User, &e.ClientName, &e.Helo, &e.Sender,
		&e.Recipient, &e.Mechanism, &e.Code, &e.Reason, &e.Session,
	}
	var places [len(texts)]int // in the message; -1: elsewhere
	size := len(e.Message)
	for i, text := range texts {
		if places[i] = PlaceIn(e.Message, *text); places[i] < 0 {
			size += len(*text)
		}
	}
	var room strings.Builder
	room.Grow(size)
	room.WriteString(e.Message)
	for i, text := range texts {
		if places[i] < 0 {
			room.WriteString(*text)
		}
	}
	all := room.String()
	rest := all[len(e.Message):]
	e.Message = all[:len(e.Message)]
	for i, text := range texts {
		if at := places[i]; at >= 0 {
			*text = all[at : at+len(*text)]
			continue
		}
		*text, rest = rest[:len(*text)], rest[len(*text):]
	}
}

// PlaceIn returns the index at which part lies in the memory of whole, so that a copy of
// whole holds it there. It is 0 for an empty part, and -1 for one that lies elsewhere,
// whatever it says.
func PlaceIn(whole, part string) int {
	if part == "" {
		return 0
	}
	at := uintptr(unsafe.Pointer(unsafe.StringData(part))) - uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	if at >= uintptr(len(whole)) || uintptr(len(whole))-at < uintptr(len(part)) {
		return -1
	}
	return int(at)
}
