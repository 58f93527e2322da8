package event

import "fmt"

// Class is the weight of a Kind as evidence about the client.
type Class uint8

// The classes, from the one that may lead to a ban to those that never do.
const (
	NoClass Class = iota // not an event
	Hostile              // an offence by itself; most still need a count
	Suspect              // honest clients do it too
	Fault                // trouble on our own side
	Success              // the client proved that it belongs here
	Own                  // a refusal by our own list, coming back through the log
)

var classNames = [...]string{NoClass: "", Hostile: "hostile", Suspect: "suspect", Fault: "fault", Success: "success", Own: "own"}

// String returns the class as it is printed and as scenarios see it.
func (c Class) String() string { return classNames[c] }

// Kind is the type of an event, the same for every daemon and version.
type Kind uint8

// The kinds. The table below gives each its name, class and meaning.
const (
	NoKind Kind = iota
	AuthFailed
	RelayDenied
	HeloRejected
	AccessDenied
	Pipelining
	NonSMTP
	NonSSH
	Pregreet
	CommandLimit
	Denylisted
	TooManyErrors
	AuthRateLimited
	AuthAborted
	NoHostname
	HostnameMismatch
	DNSBLListed
	HeloDeferred
	RelayRefused
	ErrorLimit
	SenderRejected
	RecipientUnknown
	PolicyRejected
	ProtocolError
	BareNewline
	ContentRejected
	LostConnection
	Hangup
	RateLimited
	TLSError
	SSHError
	NoAuth
	LoginRefused
	Penalised
	AuthFault
	ServerFault
	LookupFault
	DNSFault
	DNSBLFault
	LoginOK
	AuthMailOK
	OwnRefusal
	kindCount
)

type kindRow struct {
	name    string
	class   Class
	meaning string
}

var kindTable = [kindCount]kindRow{
	AuthFailed:       {"auth-failed", Hostile, "a login with a wrong user name or password"},
	RelayDenied:      {"relay-denied", Hostile, "mail for a domain that is not ours, without a login"},
	HeloRejected:     {"helo-rejected", Hostile, "an invalid HELO name, permanently rejected (5xx)"},
	AccessDenied:     {"access-denied", Hostile, "permanently rejected (5xx) by a local access table or the last rule"},
	Pipelining:       {"pipelining", Hostile, "commands sent before the server's answer to the one before"},
	NonSMTP:          {"non-smtp", Hostile, "something that is not SMTP, on a mail port"},
	NonSSH:           {"non-ssh", Hostile, "something that is not SSH, on the SSH port"},
	Pregreet:         {"pregreet", Hostile, "talking before the server's greeting, as mail programs never do"},
	CommandLimit:     {"command-limit", Hostile, "too many or too long commands for a client that postscreen still tests"},
	Denylisted:       {"denylisted", Own, "a client on postscreen's deny list: a refusal by this host's own list, which may be csmail's, and nothing that the client did"},
	TooManyErrors:    {"too-many-errors", Hostile, "cut off after too many errors before any mail or login"},
	AuthRateLimited:  {"auth-rate-limited", Suspect, "more logins in a minute than the server allows"},
	AuthAborted:      {"auth-aborted", Suspect, "a login given up half-way by the client"},
	NoHostname:       {"no-hostname", Suspect, "an address without a verified name, refused for that"},
	HostnameMismatch: {"hostname-mismatch", Suspect, "a name that does not resolve back to the address"},
	DNSBLListed:      {"dnsbl-listed", Suspect, "refused because a DNS block list names the client, its sender or HELO"},
	RelayRefused:     {"relay-refused", Suspect, "mail for a domain that is not ours, from a host with a verified name: it may follow a wrong MX record"},
	ErrorLimit:       {"error-limit", Suspect, "cut off after too many refusals in one session, which may have been temporary ones of this server, or of keys that an SSH client tries"},
	HeloDeferred:     {"helo-deferred", Suspect, "a HELO name that did not resolve"},
	SenderRejected:   {"sender-rejected", Suspect, "a sender address that does not exist or is not the user's own"},
	RecipientUnknown: {"recipient-unknown", Suspect, "mail for a user that does not exist"},
	PolicyRejected:   {"policy-rejected", Suspect, "permanently rejected (5xx) by a policy server or a rule with a text of its own"},
	ProtocolError:    {"protocol-error", Suspect, "an SMTP command out of place, or what honest programs send too early: TLS on a plain port, a search for the mail server, a monitor's EHLO and QUIT"},
	BareNewline:      {"bare-newline", Suspect, "a line that ends in LF without CR"},
	ContentRejected:  {"content-rejected", Suspect, "a message permanently rejected (5xx) by a filter"},
	LostConnection:   {"lost-connection", Suspect, "a connection given up during login or before any mail"},
	Hangup:           {"hangup", Suspect, "a connection given up during postscreen's tests"},
	RateLimited:      {"rate-limited", Suspect, "more connections, messages or recipients than the server allows"},
	TLSError:         {"tls-error", Suspect, "a TLS handshake that failed"},
	SSHError:         {"ssh-error", Suspect, "an SSH handshake that failed, or found no algorithm in common"},
	NoAuth:           {"no-auth", Suspect, "a login connection that never tried to log in"},
	LoginRefused:     {"login-refused", Suspect, "a login refused before the password counted: plaintext, mechanism, disabled account"},
	Penalised:        {"penalised", Suspect, "a client that sshd keeps out for a time because of earlier connections from its network"},
	AuthFault:        {"auth-fault", Fault, "our login service did not answer"},
	ServerFault:      {"server-fault", Fault, "our mail server could not do its work: configuration, disk, ports"},
	LookupFault:      {"lookup-fault", Fault, "a Postfix lookup table failed"},
	DNSFault:         {"dns-fault", Fault, "our resolver did not answer"},
	DNSBLFault:       {"dnsbl-fault", Fault, "a DNS block list refuses our queries, so every client looks listed"},
	LoginOK:          {"login-ok", Success, "a login with the right password"},
	AuthMailOK:       {"auth-mail-ok", Success, "mail taken from a user who had logged in"},
	OwnRefusal:       {"own-refusal", Own, "a client that we refused ourselves because of a CrowdSec decision"},
}

// OwnMarker begins the text of every refusal that csmail itself has Postfix or
// Dovecot give, so that such a refusal never counts as an offence.
const OwnMarker = "CrowdSec decision"

// Kinds returns every kind, in the order of the table.
func Kinds() []Kind {
	kinds := make([]Kind, 0, kindCount-1)
	for k := NoKind + 1; k < kindCount; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

// String returns the kind's name, as printed and as scenarios see it.
func (k Kind) String() string { return kindTable[k].name }

// Class returns the class of the kind. A kind has exactly one.
func (k Kind) Class() Class { return kindTable[k].class }

// Meaning returns one sentence for a person.
func (k Kind) Meaning() string { return kindTable[k].meaning }

// MarshalText writes the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a name that [Kind.String] wrote.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, row := range kindTable {
		if row.name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("unknown event kind %q", text)
}
