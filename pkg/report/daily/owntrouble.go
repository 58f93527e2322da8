package daily

import (
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// The causes of this host's own trouble. The figures keep the times of each.
const (
	FatalTrouble       = "fatal"       // a fatal error or a panic
	TableTrouble       = "table"       // a lookup table does not answer
	DiskTrouble        = "disk"        // the disk of the queue is full
	MailboxTrouble     = "mailboxes"   // that of the mailboxes is
	CertificateTrouble = "certificate" // it cannot be loaded, or clients do not accept it
)

// Span is a time from a first to a last line, in Unix seconds.
type Span struct{ First, Last int64 }

// Times returns the ends of a span in a zone, zero times for nil.
func (s *Span) Times(zone *time.Location) (first, last time.Time) {
	if s == nil {
		return first, last
	}
	return time.Unix(s.First, 0).In(zone), time.Unix(s.Last, 0).In(zone)
}

// addSpan widens the span of a cause.
func addSpan(f *Figures, cause string, more Span) {
	if f.Spans == nil {
		f.Spans = map[string]*Span{}
	}
	if s := f.Spans[cause]; s != nil {
		s.First, s.Last = min(s.First, more.First), max(s.Last, more.Last)
		return
	}
	f.Spans[strings.Clone(cause)] = &more
}

// noteTrouble keeps the time of a warning or worse if it is about this host's own trouble,
// and returns its cause, "" if it is not.
func noteTrouble(f *Figures, level event.Level, text string, at time.Time) (cause string) {
	if cause = CauseOf(level, text); cause != "" {
		addSpan(f, cause, Span{at.Unix(), at.Unix()})
	}
	return cause
}

// CauseOf returns the cause of a warning or worse, "" if it is none of this host's own that
// is known. The text is one that a Figures holds. Clients can write much of a warning, so
// the words count only where Postfix writes them.
func CauseOf(level event.Level, text string) string {
	switch {
	case level == event.Fatal || level == event.Panic:
		return FatalTrouble
	case isOfTable(text):
		return TableTrouble
	case isOfDisk(text):
		return DiskTrouble
	case IsOfCertificate(text):
		return CertificateTrouble
	}
	return ""
}

// isOfTable reports whether a warning is about a table that could not be asked (Postfix
// 3.7: cleanup_message.c, trivial-rewrite/resolve.c, global/dict_mysql.c, dict_pgsql.c and
// dict_ldap.c). Before the words that all tables share there is the table's name only.
func isOfTable(text string) bool {
	for _, start := range []string{"connect to mysql server ", "connect to pgsql server ", "dict_ldap_"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	for _, sign := range []string{" table lookup problem", " map lookup problem for ", " lookup error for "} {
		name, _, ok := strings.Cut(text, sign)
		if ok && !strings.Contains(strings.ReplaceAll(name, ": ", ":"), " ") {
			return true
		}
	}
	return false
}

// foreignStarts begin warnings that end with a client's or a name server's words: of
// header_checks(5) and body_checks(5), of DNS (Postfix 3.7, dns/dns_lookup.c and
// util/valid_hostname.c, smtpd/smtpd_peer.c) and of Cyrus SASL.
var foreignStarts = []string{"header ", "body ", "malformed domain name ", "numeric domain name ", "valid_", "hostname ", "numeric hostname: ", "SASL authentication "}

// isOfDisk reports whether a warning is about a full disk: the operating system's words at
// its end (strerror(3)), or those of smtpd (Postfix 3.7, smtpd_check.c).
func isOfDisk(text string) bool {
	if strings.HasPrefix(text, "not enough free space in mail queue: ") {
		return true
	}
	if !strings.HasSuffix(text, ": No space left on device") || strings.Contains(text, "CLIENT") {
		return false
	}
	return !slices.ContainsFunc(foreignStarts, func(start string) bool { return strings.HasPrefix(text, start) })
}

// IsOfCertificate reports whether a warning is about a certificate (Postfix 3.7,
// tls/tls_certkey.c) or of OpenSSL's library, without any client's words.
func IsOfCertificate(text string) bool {
	return strings.HasPrefix(text, "cannot get ") || strings.HasPrefix(text, "cannot load ") || strings.HasPrefix(text, "TLS library problem: ") && strings.Contains(text, "certificate") ||
		strings.HasPrefix(text, "TLS library problem: ") && strings.Contains(text, "unknown ca")
}

// ownAgents deliver to the mailboxes of this host.
var ownAgents = []string{"lmtp", "local", "virtual", "pipe"}

// IsFullMailbox reports whether a deferral means that the disk of the mailboxes is full. What
// a command wrote may quote the mail, and the recipient is its sender's word.
func IsFullMailbox(agent, reason string) bool {
	if !slices.Contains(ownAgents, agent) {
		return false
	}
	reason, _, _ = strings.Cut(reason, "Command output:")
	before, after, found := strings.Cut(reason, " No space left on device")
	isQuoted := strings.ContainsAny(after, ">@") || strings.LastIndexByte(before, '<') > strings.LastIndexByte(before, '>')
	return found && !isQuoted
}

func (s *Span) encode(c *wire.Codec) { signed(c, &s.First, &s.Last) }
