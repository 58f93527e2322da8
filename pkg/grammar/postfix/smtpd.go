package postfix

import (
	"strings"

	"csmail/pkg/event"
)

// smtpd reads src/smtpd/smtpd.c's messages. The first byte separates most lines; connect
// and disconnect lines, the most frequent by far, come first.
func smtpd(message string, e *event.Event) result {
	if message == "" {
		return missed
	}
	switch message[0] {
	case 'c':
		if rest, ok := strings.CutPrefix(message, "connect from "); ok {
			return clientOnly(rest, e, event.Connected)
		}
		if strings.HasPrefix(message, "certificate verification failed for ") {
			return benign
		}
	case 'd':
		if rest, ok := strings.CutPrefix(message, "disconnect from "); ok {
			return disconnect(rest, e)
		}
		if strings.HasPrefix(message, "discarding EHLO keywords: ") || strings.HasPrefix(message, "database ") {
			return benign
		}
	case 'w':
		if rest, ok := strings.CutPrefix(message, "warning: "); ok {
			return smtpdWarning(rest, e)
		}
	case 'b', 'e', 'f', 'm', 'p', 'r', 's', 'S', 'A', 'U', 'T', 'V', 'i', 'I', 'l', 't', 'u', 'X':
		if r := smtpdPlain(message, e); r.outcome != event.Missed {
			return r
		}
	}
	if r := smtpdQueued(message, e); r.outcome != event.Missed {
		return r
	}
	return aboutClient(message, e)
}

// aboutClient reads "CLIENT: [TRUST: ]subject_CN=…", smtpd's message about a client with
// a certificate (tls_server.c, tls_verify.c), messages about its TLS session
// (smtpd_tls_loglevel), and about a command that smtpd_command_filter changes. A bad
// certificate is no offence.
func aboutClient(message string, e *event.Event) result {
	rest, ok := cutClient(message, e)
	if !ok {
		return missed
	}
	for _, known := range [...]string{
		": Untrusted: ", ": Trusted: ", ": Verified: ", ": Anonymous", ": subject_CN=",
		": replacing command ", ": Reusing old session", ": Issuing session ticket", ": Decrypting session ticket",
		": looking up session ", ": save session ", ": remove session ", ": reloaded session ", ": depth=", ": verify=",
	} {
		if strings.HasPrefix(rest, known) {
			return benign
		}
	}
	return missed
}

// clientOnly ends a message that is nothing but a client.
func clientOnly(text string, e *event.Event, t event.Testimony) result {
	rest, ok := cutClient(text, e)
	if !ok || rest != "" {
		return missed
	}
	return witness(t)
}

// disconnect reads "CLIENT ehlo=1 auth=0/3 commands=1/4", the numbers since
// 3.0: NAME=SUCCEEDED or NAME=SUCCEEDED/TOTAL.
func disconnect(text string, e *event.Event) result {
	rest, ok := cutClient(text, e)
	if !ok {
		return missed
	}
	end := event.Disconnected
	if strings.Contains(rest, " rcpt=") && !hasMessage(rest) {
		end = event.Undelivered
	}
	for {
		_, after, found := strings.Cut(rest, " auth=")
		if !found {
			return witness(end)
		}
		counts, _, _ := strings.Cut(after, " ")
		if logins(counts, e) {
			return result{event.Noted, end}
		}
		rest = after
	}
}

// logins reads the counts of a session's AUTH commands, "1", "0/3" or "1/4".
func logins(counts string, e *event.Event) bool {
	good, total, both := strings.Cut(counts, "/")
	attempts, ok := smallNumber(total)
	switch {
	case both && good == "0" && ok && attempts > 0:
		e.Kind, e.Attempts = event.AuthFailed, attempts
	case good != "0" && good != "":
		e.Kind, e.Attempts = event.LoginOK, 1
	default:
		return false
	}
	e.Reason = "session ended with auth=" + counts
	return true
}

// hasMessage reports whether a DATA or BDAT command succeeded. "client=" is logged once
// a recipient is accepted. The client may leave after that, or a filter may refuse the
// message at its end, which counts as data=0/1.
func hasMessage(counts string) bool {
	for _, command := range [...]string{" data=", " bdat="} {
		if _, after, found := strings.Cut(counts, command); found && !strings.HasPrefix(after, "0") {
			return true
		}
	}
	return false
}

// smtpdPlain reads the messages without a queue ID and without a level, and
// those of a level that is never the client's doing.
func smtpdPlain(message string, e *event.Event) result {
	if r := hangup(message, e); r.outcome != event.Missed {
		return r
	}
	for _, known := range [...]string{
		"error: ", "fatal: ", "panic: ", "statistics: ", "setting up TLS connection from ",
		"Anonymous TLS connection established from ", "Untrusted TLS connection established from ",
		"Trusted TLS connection established from ", "Verified TLS connection established from ",
		"TLS connection established from ", "sql_select", "initializing the server-side TLS engine",
		"SSL_accept:", "SSL3 alert", "table ", "TLS SNI ", "using backwards-compatible default setting ", "XCLIENT ", "XFORWARD ",
		"SASL authentication ", "mapping ", "redirecting ", "proxy-accept: ", "skipping address family ", "ignoring DNS RR: ",
	} {
		if strings.HasPrefix(message, known) {
			return benign
		}
	}
	if rest, ok := strings.CutPrefix(message, "proxy-reject: "); ok {
		return proxyReject(rest, e)
	}
	if rest, ok := strings.CutPrefix(message, "SSL_accept error from "); ok {
		return tail(rest, ": ", event.TLSError, e)
	}
	if rest, ok := strings.CutPrefix(message, "improper command pipelining after "); ok {
		return pipelining(rest, e)
	}
	return missed
}

// hangup reads "lost connection after AUTH from CLIENT" and its kin: smtpd.c
// names the last command, or UNKNOWN, or the stage, with "(N bytes)" for DATA.
func hangup(message string, e *event.Event) result {
	reason := hangupReason(message)
	if reason == "" {
		return missed
	}
	rest := message[len(reason)+len(" after "):]
	stage, rest, ok := cutToken(rest, " from ")
	if !ok {
		return missed
	}
	if rest, ok = cutClient(rest, e); !ok || rest != "" {
		return missed
	}
	command, _, _ := strings.Cut(stage, " ")
	e.Reason = message[:len(reason)+len(" after ")+len(command)]
	switch {
	case reason == "too many errors" && isBeforeMail(command):
		e.Kind = event.TooManyErrors
	case reason == "too many errors":
		e.Kind = event.ErrorLimit
	case reason == "bare <LF> received":
		e.Kind = event.BareNewline
	case command == "AUTH" || command == "UNKNOWN" || command == "CONNECT":
		e.Kind = event.LostConnection
	default:
		return benign
	}
	if command == "AUTH" && e.Kind != event.BareNewline {
		e.Cause = event.LoginService
	}
	e.Attempts = 1
	return noted
}

// hangupReason returns the text before " after ", or "" for any other message.
func hangupReason(message string) string {
	for _, reason := range [...]string{"lost connection", "timeout", "too many errors", "bare <LF> received"} {
		if rest, ok := strings.CutPrefix(message, reason); ok && strings.HasPrefix(rest, " after ") {
			return reason
		}
	}
	return ""
}

// isBeforeMail reports whether the errors of the command are the client's. After RCPT
// and the later commands the refusals count as errors too, and these include greylisting
// and failures on our side.
func isBeforeMail(command string) bool {
	return command == "AUTH" || command == "UNKNOWN" || command == "HELO" || command == "EHLO" || command == "CONNECT"
}

// smtpdQueued reads the text behind a queue ID or NOQUEUE.
func smtpdQueued(message string, e *event.Event) result {
	id, rest, ok := cutQueueID(message)
	if !ok {
		return missed
	}
	e.Session = id
	if client, ok := strings.CutPrefix(rest, "client="); ok {
		return accepted(client, e)
	}
	word, after, ok := strings.Cut(rest, ": ")
	if ok {
		switch word {
		case "reject":
			return reject(after, e)
		case "milter-reject":
			return milterReject(after, e)
		case "hangup":
			return hungUp(after, e)
		case "proxy-reject":
			return proxyReject(after, e)
		case "discard", "hold", "milter-discard", "milter-hold":
			return putAside(after, e)
		case "reject_warning", "filter", "redirect", "info", "warn", "prepend", "permit",
			"bcc", "replace", "delay", "proxy-accept", "abort", "trigger":
			return benign
		}
	}
	switch r := hangup(rest, e); {
	case r.outcome != event.Missed:
		return r
	case strings.HasPrefix(rest, "to=<"), strings.HasPrefix(rest, "warning: "), strings.HasPrefix(rest, "queue file size limit exceeded"):
		return benign
	}
	return missed
}

// putAside reads "CMD from CLIENT: TEXT; …" of an access table's or a milter's DISCARD or
// HOLD (smtpd_check.c, check_table_result; smtpd.c, check_milter_reply). The message is
// taken from the client, but thrown away or kept for a person to look at.
func putAside(text string, e *event.Event) result {
	if _, ok := cutRefused(text, e); !ok {
		return benign
	}
	return witness(event.Discarded)
}

// accepted reads "client=CLIENT[, sasl_method=M][, sasl_username=U]…".
func accepted(text string, e *event.Event) result {
	rest, ok := cutClient(text, e)
	if !ok {
		return missed
	}
	rest = strings.TrimPrefix(rest, ", ")
	method, ok := strings.CutPrefix(rest, "sasl_method=")
	if !ok || strings.HasPrefix(method, "ANONYMOUS,") { // open to everyone (RFC 4505)
		return witness(event.MailAccepted)
	}
	e.Mechanism, rest, _ = strings.Cut(method, ", ")
	user, ok := strings.CutPrefix(rest, "sasl_username=")
	if !ok {
		return witness(event.MailAccepted)
	}
	e.User, _, _ = strings.Cut(user, ", sasl_sender=")
	e.Kind, e.Attempts = event.AuthMailOK, 1
	return result{event.Noted, event.MailAccepted}
}

// tail ends a message with a client and, after sep, text that the client may
// have written.
func tail(text, sep string, kind event.Kind, e *event.Event) result {
	rest, ok := cutClient(text, e)
	if !ok {
		return missed
	}
	if rest != "" && rest != strings.TrimSuffix(sep, " ") { // some logs keep no blank at the end
		if rest, ok = strings.CutPrefix(rest, sep); !ok {
			return missed
		}
	} else {
		rest = ""
	}
	e.Kind, e.Attempts, e.Reason = kind, 1, rest
	return noted
}

// cutToken cuts text at the first sep, if the text before it is short and certainly the
// server's: printable, without a bracket or a colon.
func cutToken(text, sep string) (before, after string, ok bool) {
	before, _, ok = strings.Cut(text[:min(len(text), longestToken+len(sep))], sep)
	if !ok {
		return "", "", false
	}
	for i := range len(before) {
		switch before[i] {
		case '[', ']', ':', ';':
			return "", "", false
		}
	}
	return before, text[len(before)+len(sep):], true
}

const longestToken = 60

// smallNumber reads a count of up to six digits.
func smallNumber(text string) (int, bool) {
	if text == "" || len(text) > 6 {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		if text[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(text[i]-'0')
	}
	return n, true
}
