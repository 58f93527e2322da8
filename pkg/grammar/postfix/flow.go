package postfix

import (
	"strings"

	"csmail/pkg/event"
)

// ParseFlow reads what one message says about the way of a mail into f, and
// reports whether it says anything. The program is the whole syslog tag. As in
// [Parse], the message is read from its first byte, and an address comes only
// from where Postfix itself writes the client's: never from a remote server's
// reply, a header or an envelope address.
//
// The formats are those of Postfix 2.9 to 3.12: src/smtpd/smtpd.c,
// src/pickup/pickup.c, src/cleanup/cleanup_message.c, src/qmgr/qmgr_active.c,
// src/global/log_adhoc.c and src/postscreen/postscreen_smtpd.c.
func ParseFlow(program, message string, f *event.Flow) bool {
	slash := strings.LastIndexByte(program, '/')
	if slash < 0 {
		return false
	}
	name := program[slash+1:]
	read := flowOf(name)
	if read == nil {
		return false
	}
	*f = event.Flow{Daemon: name, Service: lastElement(program[:slash])}
	if readTrouble(message, f) {
		return true
	}
	return read(message, f)
}

// MayFlow reports whether ParseFlow may read a line. It looks at a few bytes, and is true
// for each line that ParseFlow reads: most lines without a figure are not kept for it.
func MayFlow(program, message string) bool {
	slash := strings.LastIndexByte(program, '/')
	if slash < 0 || message == "" {
		return false
	}
	name := program[slash+1:]
	switch message[0] {
	case 'w', 'e', 'f', 'p': // a severity, which any daemon may log
		return flowOf(name) != nil
	}
	switch name {
	case "smtpd":
		switch message[0] {
		case 'c', 'd', 'A', 'U', 'T', 'V', 'r', 'm', 'h':
			return true
		}
		return beginsLikeQueueID(message)
	case "postscreen":
		return strings.HasPrefix(message, "CON") || message[0] == 'N' || message[0] == 'r'
	case "cleanup", "master":
		return true
	case "qmgr", "oqmgr", "nqmgr", "pickup", "qmqpd", "smtp", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard", "relay", "dane":
		return beginsLikeQueueID(message)
	}
	return false
}

// beginsLikeQueueID reports whether a message begins with a word of a queue ID's letters
// and a colon, which may be NOQUEUE.
func beginsLikeQueueID(message string) bool {
	for i := range min(len(message), longestQueueID+1) {
		if !isQueueIDByte(message[i]) {
			return message[i] == ':'
		}
	}
	return false
}

// lastElement returns "submission" of "postfix/submission" and of "submission" (a
// syslog_name of the service's own), and "" of a tag like "postfix" or "postfix-out".
func lastElement(tag string) string {
	slash := strings.LastIndexByte(tag, '/')
	if slash < 0 && strings.HasPrefix(tag, "postfix") {
		return ""
	}
	return tag[slash+1:]
}

// flowGrammar reads one message of one daemon.
type flowGrammar func(message string, f *event.Flow) bool

// flowOf returns the grammar of a daemon's lines about the way of a mail.
func flowOf(daemon string) flowGrammar {
	switch daemon {
	case "smtpd":
		return smtpdFlow
	case "qmqpd":
		return receivedFlow
	case "postscreen":
		return postscreenFlow
	case "pickup":
		return pickupFlow
	case "cleanup":
		return cleanupFlow
	case "qmgr", "oqmgr", "nqmgr":
		return qmgrFlow
	case "smtp", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard", "relay", "dane":
		return deliveryFlow
	case "master":
		return masterFlow
	}
	if isPostfixDaemon(daemon) {
		return noFlow
	}
	return nil
}

func isPostfixDaemon(name string) bool {
	_, known := daemon(name)
	return known && !isPolicyServer(name)
}

// noFlow is for daemons of which only warnings and errors are counted.
func noFlow(string, *event.Flow) bool { return false }

// masterFlow reads lines of master(8), for example that Postfix was reloaded.
func masterFlow(message string, f *event.Flow) bool {
	f.Kind, f.Text = event.FlowMaster, message
	return message != ""
}

// readTrouble reads the severity that msg_warn(3) and its kin put first.
func readTrouble(message string, f *event.Flow) bool {
	if message == "" {
		return false
	}
	switch message[0] {
	case 'w', 'e', 'f', 'p':
	default:
		return false
	}
	for _, level := range [...]struct {
		prefix string
		level  event.Level
	}{{"warning: ", event.Warning}, {"error: ", event.Error}, {"fatal: ", event.Fatal}, {"panic: ", event.Panic}} {
		if text, ok := strings.CutPrefix(message, level.prefix); ok {
			f.Kind, f.Level, f.Text = event.FlowTrouble, level.level, text
			return true
		}
	}
	return false
}

// smtpdFlow reads connects, ends of sessions, mails taken and refusals.
func smtpdFlow(message string, f *event.Flow) bool {
	if message == "" {
		return false
	}
	switch message[0] { // a long queue ID may begin with any of these letters as well
	case 'c':
		if connectFlow(message, connectPrefix, event.FlowConnect, f) {
			return true
		}
	case 'd':
		if disconnectFlow(message, f) {
			return true
		}
	case 'p':
		if strings.HasPrefix(message, "proxy-reject: ") {
			return refusalFlow(message, f)
		}
	case 'A', 'U', 'T', 'V':
		if tlsFlow(message, f) {
			return true
		}
	}
	if receivedFlow(message, f) {
		return true
	}
	return refusalFlow(message, f)
}

// connectFlow reads "connect from" and "disconnect from".
func connectFlow(message, prefix string, kind event.FlowKind, f *event.Flow) bool {
	text, ok := strings.CutPrefix(message, prefix)
	if !ok {
		return false
	}
	rest, ok := clientOf(text, f)
	if !ok || (rest != "" && kind == event.FlowConnect) {
		return false
	}
	f.Kind = kind
	return true
}

// clientOf takes NAME[ADDR] or postscreen's [ADDR]:PORT off the start of text.
func clientOf(text string, f *event.Flow) (rest string, ok bool) {
	if strings.HasPrefix(text, "[") {
		return screenedClient(text, f)
	}
	f.Client, f.Addr, rest, ok = cutNamed(text)
	return rest, ok
}

// screenedClient reads [ADDR]:PORT (src/postscreen/postscreen.c,
// PSC_CLIENT_ADDR_PORT).
func screenedClient(text string, f *event.Flow) (rest string, ok bool) {
	end := strings.IndexByte(text[:min(len(text), longestAddr)], ']')
	if end < 0 {
		return "", false
	}
	addr, ok := event.ParseAddr(text[1:end])
	if !ok {
		return "", false
	}
	f.Addr = addr
	return cutPort(text[end+1:]), true
}

// disconnectFlow reads the end of a session, with the counts of AUTH commands
// (smtpd.c, since 3.0).
func disconnectFlow(message string, f *event.Flow) bool {
	text, ok := strings.CutPrefix(message, disconnectPrefix)
	if !ok {
		return false
	}
	rest, ok := clientOf(text, f)
	if !ok {
		return false
	}
	f.Kind = event.FlowDisconnect
	readAuthCounts(rest, f)
	return true
}

// readAuthCounts reads the counts of AUTH commands off those behind the client.
func readAuthCounts(counts string, f *event.Flow) {
	f.HasCounts = counts != ""
	if _, auth, ok := strings.Cut(counts, " auth="); ok {
		auth, _, _ = strings.Cut(auth, " ")
		f.AuthOK, f.AuthTotal = authCounts(auth)
	}
}

// authCounts reads "2" (all succeeded) or "1/3" (succeeded/total).
func authCounts(counts string) (succeeded, total int) {
	first, second, both := strings.Cut(counts, "/")
	succeeded, ok := smallNumber(first)
	if !ok {
		return 0, 0
	}
	if !both {
		return succeeded, succeeded
	}
	total, ok = smallNumber(second)
	if !ok || total < succeeded {
		return 0, 0
	}
	return succeeded, total
}

// tlsFlow reads "Anonymous TLS connection established from CLIENT: TLSv1.3 with
// cipher …" (src/tls/tls_server.c, tls_log_summary).
func tlsFlow(message string, f *event.Flow) bool {
	_, text, ok := cutToken(message, " TLS connection established from ")
	if !ok {
		return false
	}
	rest, ok := clientOf(text, f)
	if !ok {
		return false
	}
	if rest, ok = strings.CutPrefix(rest, ": "); !ok {
		return false
	}
	version, _, ok := strings.Cut(rest, " with cipher ")
	if !ok || len(version) > len("TLSv1.3 ") {
		return false
	}
	f.Kind, f.Version = event.FlowTLS, version
	return true
}
