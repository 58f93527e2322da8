package engine

import "strings"

// programOf returns the program of a line. journalctl -o with-unit prints the unit in
// place of the program, for example "postfix@-.service[101]:", so Postfix's daemons must
// be distinguished by their messages. Every other tag is the program itself.
func programOf(tag, message string) string {
	unit, ok := strings.CutSuffix(tag, ".service")
	if !ok {
		return tag
	}
	name, _, _ := strings.Cut(unit, "@")
	switch name {
	case "dovecot":
		return "dovecot"
	case "ssh", "sshd":
		return "sshd"
	case "postfix":
		return "postfix/" + daemonOf(message)
	}
	return tag
}

// daemonOf returns the Postfix daemon that logs such a message about a client. For
// messages without a client it returns qmgr. Only the fixed words at the start of the
// message decide, before any text of a client.
func daemonOf(message string) string {
	queueID, rest, ok := strings.Cut(message, ": ")
	if ok && isQueueID(queueID) {
		switch {
		case strings.HasPrefix(rest, "client="):
			return "smtpd"
		case strings.HasPrefix(rest, "reject: ") && startsWithStage(rest[len("reject: "):]):
			return "smtpd"
		case strings.HasPrefix(rest, "reject: "), strings.HasPrefix(rest, "milter-reject: "), strings.HasPrefix(rest, "warning: "),
			strings.HasPrefix(rest, "discard: "), strings.HasPrefix(rest, "hold: "), strings.HasPrefix(rest, "replace: "):
			return "cleanup"
		}
		return "qmgr"
	}
	for _, start := range [...]string{
		"CONNECT from [", "PASS OLD [", "PASS NEW [", "PREGREET ", "DNSBL rank ", "HANGUP after ", "BARE NEWLINE from [", "COMMAND ",
		"NON-SMTP COMMAND from [", "DISCONNECT [", "ALLOWLISTED [", "WHITELISTED [", "DENYLISTED [", "BLACKLISTED [",
		"ALLOWLIST VETO [", "WHITELIST VETO [", "NOQUEUE: reject: CONNECT from [", "NOQUEUE: reject: RCPT from [",
	} {
		if strings.HasPrefix(message, start) {
			return "postscreen"
		}
	}
	if strings.HasPrefix(message, "statistics: ") {
		return "anvil"
	}
	return "smtpd"
}

// isQueueID reports whether text is a queue ID of Postfix: upper-case hexadecimal, or,
// with enable_long_queue_ids, digits and letters without vowels
// (src/global/mail_queue.h, safe_ultostr.c), so that no word is taken for one.
func isQueueID(text string) bool {
	if len(text) < 6 || len(text) > 24 {
		return false
	}
	isHex, isLong := true, true
	for i := range len(text) {
		c := text[i]
		isDigit := c-'0' <= 9
		isHex = isHex && (isDigit || c-'A' <= 5)
		isLong = isLong && (isDigit || c|0x20-'a' <= 25 && strings.IndexByte("aeiou", c|0x20) < 0)
	}
	return isHex || isLong
}

// startsWithStage reports whether text begins with a stage of the SMTP session, as
// smtpd names it and cleanup does not.
func startsWithStage(text string) bool {
	stage, _, _ := strings.Cut(text, " ")
	switch stage {
	case "CONNECT", "HELO", "EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "VRFY", "ETRN", "BDAT":
		return true
	}
	return false
}
