// Package postfix reads the messages that Postfix's daemons log about their clients, in
// every wording from 2.9 to 3.12. Each grammar is anchored at the first byte and goes
// from left to right; it never searches for an address. Text that a client sent (HELO,
// sender, recipient, user, mechanism, the PTR name) is data and can never become the
// address. The package keeps no state and does no I/O; it does not join lines.
package postfix

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// grammar reads one message of one daemon into e.
type grammar func(message string, e *event.Event) result

// result is a grammar's reading of a message.
type result struct {
	outcome   event.Outcome
	testimony event.Testimony
}

var (
	missed = result{outcome: event.Missed}
	benign = result{outcome: event.Benign}
	noted  = result{outcome: event.Noted}
)

func witness(t event.Testimony) result { return result{event.Witness, t} }

// Parse reads one message into e. The program is the whole syslog tag
// (postfix/submission/smtpd), and the daemon is the part behind its last slash. Parse
// leaves the time, host and process ID of e to the caller. It reports false for a tag
// that is not Postfix's.
func Parse(program, message string, e *event.Event) (event.Outcome, event.Testimony, bool) {
	slash := strings.LastIndexByte(program, '/')
	if slash < 0 {
		if isPolicyServer(program) {
			return event.Benign, event.NoTestimony, true
		}
		return event.Foreign, event.NoTestimony, false
	}
	read, ours := daemon(program[slash+1:])
	if !ours {
		return event.Foreign, event.NoTestimony, false
	}
	if read == nil {
		return event.Benign, event.NoTestimony, true
	}
	e.Service = event.Postfix
	e.Program = program
	r := read(message, e)
	return r.outcome, r.testimony, true
}

// daemon returns the grammar of a Postfix daemon (master.cf(5)), nil for one
// that says nothing about clients, and false for a name that is not Postfix's.
// anvil names maxima over all clients, which say nothing about one.
func daemon(name string) (grammar, bool) {
	switch name {
	case "smtpd":
		return smtpd, true
	case "postscreen":
		return postscreen, true
	case "tlsproxy":
		return tlsproxy, true
	case "dnsblog":
		return dnsblog, true
	case "cleanup":
		return cleanup, true
	case "smtp", "lmtp":
		return filtered, true
	case "qmgr", "oqmgr", "local", "virtual", "pipe", "bounce", "trace",
		"defer", "error", "retry", "discard", "pickup", "master", "trivial-rewrite", "anvil",
		"proxymap", "proxywrite", "scache", "showq", "flush", "verify", "spawn", "qmqpd",
		"nbdb_reindexd", "postfix-script", "postfix-tls-script", "postfix-non-bdb-script", "postmulti-script",
		"postlogd", "postlog", "postqueue", "postsuper", "postalias", "postmap", "postdrop", "sendmail", "tlsmgr", "relay", "dane":
		return nil, true
	}
	return nil, isPolicyServer(name)
}

// isPolicyServer reports whether the program answers smtpd's questions about clients
// (access policy delegation). If it has a client refused, smtpd logs that as well; and a
// greylisted client did nothing wrong.
func isPolicyServer(name string) bool {
	switch name {
	case "postgrey", "policyd-spf", "policy-spf", "spf-policy", "postfwd", "postfwd2", "postfwd3", "policyd", "sqlgrey", "greyfix":
		return true
	}
	return false
}

// cutClient reads NAME[ADDR] or NAME[ADDR]:PORT (smtpd_client_port_logging)
// off the start of text and sets name and address. NAME passed Postfix's
// valid_hostname() (src/util/valid_hostname.c), so a bracket or a space in it
// means that this is no client. ADDR may be "unknown": then no address is set.
func cutClient(text string, e *event.Event) (string, bool) {
	name, addr, rest, ok := cutNamed(text)
	if !ok {
		return "", false
	}
	e.ClientName, e.Addr = name, addr
	return rest, true
}

// cutNamed returns what cutClient takes off.
func cutNamed(text string) (name string, addr netip.Addr, rest string, ok bool) {
	open := hostnameEnd(text)
	if open < 1 || open == len(text) || text[open] != '[' {
		return "", addr, "", false
	}
	end := strings.IndexByte(text[open:min(len(text), open+longestAddr)], ']')
	if end < 0 {
		return "", addr, "", false
	}
	inner := text[open+1 : open+end]
	if addr, ok = event.ParseAddr(inner); !ok && inner != "unknown" {
		return "", netip.Addr{}, "", false
	}
	return text[:open], addr, cutPort(text[open+end+1:]), true
}

// cutPort takes a ":PORT" off, but leaves a ": " that ends the client.
func cutPort(text string) string {
	digits := 0
	for digits+1 < len(text) && text[0] == ':' && text[digits+1]-'0' <= 9 {
		digits++
	}
	if digits == 0 {
		return text
	}
	return text[digits+1:]
}

// longestAddr is more than the length of any address in its brackets.
const longestAddr = 64

func isHostname(name string) bool { return hostnameEnd(name) == len(name) }

// hostnameEnd returns where a host name at the start of text ends.
func hostnameEnd(text string) int {
	const longest = 255
	for i := range min(len(text), longest) {
		if endsHostname[text[i]] {
			return i
		}
	}
	return min(len(text), longest)
}

// endsHostname are the bytes that no host name holds.
var endsHostname = func() (table [256]bool) {
	for c := range byte(' ' + 1) {
		table[c] = true
	}
	for _, c := range []byte{'[', ']', ':', ',', 0x7f} {
		table[c] = true
	}
	return table
}()

// cutQueueID takes "NOQUEUE: " or a queue ID (short hexadecimal or long base
// 52, postconf(5) enable_long_queue_ids) off the start of text.
func cutQueueID(text string) (id, rest string, ok bool) {
	const shortest = 6
	end := 0
	for end < min(len(text), longestQueueID+1) && isQueueIDByte(text[end]) {
		end++
	}
	if end < shortest || end > longestQueueID || !strings.HasPrefix(text[end:], ": ") {
		return "", text, false
	}
	id, rest = text[:end], text[end+2:]
	if id == "NOQUEUE" {
		id = ""
	}
	return id, rest, true
}

// longestQueueID is more than the length of any queue ID.
const longestQueueID = 20

func isQueueIDByte(c byte) bool { return queueIDByte[c] }

var queueIDByte = func() (table [256]bool) {
	for c := range table {
		c := byte(c)
		table[c] = c-'0' <= 9 || c-'a' <= 25 || c-'A' <= 25
	}
	return table
}()
