package logline

import (
	"net/netip"
	"strings"
)

// readOrigin reads host and tag after the stamp and returns the message.
func (h *Header) readOrigin(text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, "<"); ok { // FreeBSD: "<mail.info> host tag:"
		_, after, found := strings.Cut(rest, "> ")
		if !found {
			return "", false
		}
		text = after
	}
	if text != "" && text[0] == '[' {
		return h.readBracketed(text)
	}
	first, rest, ok := strings.Cut(text, " ")
	switch {
	case !ok:
		return "", false
	case strings.ContainsAny(first, ":("):
		return h.readHostless(text, first, rest)
	case isLevel(first), isSeverity(first):
		return h.readBehindLevel(rest)
	}
	return h.readHost(first, rest)
}

// readBehindLevel reads the text behind a level or a severity in the place of the host,
// as busybox -S and templates of rsyslog write it: "INFO    postfix/smtpd[1]: x", or
// "INFO mx postfix/smtpd[1]: x".
func (h *Header) readBehindLevel(text string) (string, bool) {
	text = strings.TrimLeft(text, " ")
	if host, rest, ok := strings.Cut(text, " "); ok && !isTag(host) && beginsWithTag(rest) {
		h.Host, text = host, strings.TrimLeft(rest, " ")
	}
	return h.readTagged(text)
}

// readHost reads the text behind the host. Between it and the tag there may be more
// spaces than one, a level (busybox), a severity, or, if the host is the address from
// which the line was received, the name that the line gives itself (rsyslog's
// %fromhost-ip% before %hostname%). These are skipped only if a tag follows.
func (h *Header) readHost(first, text string) (string, bool) {
	h.Host = first
	tagged := strings.TrimLeft(text, " ")
	second, after, ok := strings.Cut(tagged, " ")
	switch {
	case !ok:
	case isTag(second):
		text = tagged
	case isLevel(second):
		text = strings.TrimLeft(after, " ")
	case !beginsWithTag(after):
	case isSeverity(second), isBracketedLevel(second):
		text = strings.TrimLeft(after, " ")
	case isAddress(first):
		h.Host, text = second, strings.TrimLeft(after, " ")
	}
	return h.readTagged(text)
}

// isTag reports whether a word ends as a tag does: "postfix/smtpd[1]:", "dovecot:".
func isTag(word string) bool { return len(word) > 1 && word[len(word)-1] == ':' }

func beginsWithTag(text string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(text, " "), " ")
	return isTag(word)
}

func isAddress(word string) bool {
	if word == "" || word[0]-'0' > 9 && !strings.Contains(word, ":") {
		return false
	}
	_, err := netip.ParseAddr(word)
	return err == nil
}

// isSeverity reports whether a word is a severity of syslog(3), in capitals or small
// letters. A host of that name is not recognised. That does no harm: the lines of one
// log without a host are of one host.
func isSeverity(word string) bool {
	if len(word) < 3 || len(word) > len("emergency") {
		return false
	}
	switch word {
	case "emerg", "emergency", "panic", "alert", "crit", "critical", "err", "error", "warn", "warning", "notice", "info", "debug",
		"EMERG", "EMERGENCY", "PANIC", "ALERT", "CRIT", "CRITICAL", "ERR", "ERROR", "WARN", "WARNING", "NOTICE", "INFO", "DEBUG":
		return true
	}
	return false
}

// readHostless reads a line that begins with a tag, or with a level as socklog writes
// it, or a line of Dovecot's own log file.
func (h *Header) readHostless(text, first, rest string) (string, bool) {
	if msg, ok := h.readDovecotFile(text); ok {
		return msg, true
	}
	if msg, ok := h.readDovecot1(text, first, rest); ok {
		return msg, true
	}
	tag, isTag := strings.CutSuffix(first, ":")
	switch {
	case isTag && isLevel(tag):
		return h.readTagged(rest)
	case isTag:
		return rest, h.readTag(first)
	}
	return h.readHost(first, rest) // an IPv6 address as host name
}

// readTagged reads "tag[pid]: message".
func (h *Header) readTagged(text string) (string, bool) {
	end := strings.IndexByte(text, ' ')
	if end < 0 {
		end = len(text)
	}
	if end == 0 || text[end-1] != ':' {
		return text, true // a kernel line or another tag without an end: a header nevertheless
	}
	if !h.readTag(text[:end]) {
		return text, true
	}
	return skipMessageID(strings.TrimPrefix(text[end:], " ")), true
}

// readTag reads "postfix/smtpd[4242]:" or "dovecot:". A relay that adds a header of its own
// leaves the priority in front of the tag: "<22>dovecot:".
func (h *Header) readTag(tag string) bool {
	tag, _ = cutPriority(strings.TrimSuffix(tag, ":"))
	open := strings.IndexByte(tag, '[')
	if open < 0 {
		h.Program = tag
		return tag != ""
	}
	pid, ok := strings.CutSuffix(tag[open+1:], "]")
	if !ok || open == 0 {
		return false
	}
	h.Program = tag[:open]
	h.PID, _ = number(pid)
	return true
}

// readBracketed reads "[postfix/smtpd] message" of metalog, and the severity that a template
// of rsyslog puts in place of the host: "[info] postfix/smtpd[1]: message".
func (h *Header) readBracketed(text string) (string, bool) {
	tag, msg, ok := strings.Cut(text[1:], "] ")
	if ok && (isLevel(tag) || isSeverity(tag)) {
		return h.readBehindLevel(msg)
	}
	h.Program = tag
	return msg, ok && tag != ""
}

// isBracketedLevel reports whether a word is a level or a severity in brackets, such as
// "[info]" or "<mail.info>".
func isBracketedLevel(word string) bool {
	if len(word) < 2 || word[0] != '[' && word[0] != '<' {
		return false
	}
	inner := word[1 : len(word)-1]
	return (word[0] == '[' && word[len(word)-1] == ']' || word[0] == '<' && word[len(word)-1] == '>') && (isLevel(inner) || isSeverity(inner))
}

// skipMessageID drops the "[ID 197553 mail.info] " of syslog-ng and Solaris.
func skipMessageID(msg string) string {
	rest, ok := strings.CutPrefix(msg, "[ID ")
	if !ok {
		return msg
	}
	_, after, found := strings.Cut(rest, "] ")
	if !found {
		return msg
	}
	return after
}

// isLevel reports whether the text is like "mail.info": a facility, a dot, a severity.
func isLevel(text string) bool {
	facility, severity, ok := strings.Cut(text, ".")
	if !ok || (facility != "mail" && facility != "auth" && facility != "authpriv" && facility != "daemon") {
		return false
	}
	switch severity {
	case "emerg", "alert", "crit", "err", "error", "warn", "warning", "notice", "info", "debug":
		return true
	}
	return false
}

// dovecotProcesses are the services of Dovecot 2.2-2.4 that name themselves at the start
// of a line of Dovecot's own log file (log_path). Those lines have neither a host nor
// the tag "dovecot".
var dovecotProcesses = [...]string{
	"imap-login", "pop3-login", "submission-login", "managesieve-login",
	"auth-worker", "auth", "imap-hibernate", "imap-urlauth", "imap", "pop3",
	"submission", "managesieve", "lmtp", "lda", "master", "anvil", "stats",
	"config", "log", "doveadm", "dict", "indexer-worker", "indexer", "replicator",
}

// readDovecotFile reads "imap-login: Info: message". The message keeps the
// process, because via syslog it starts with it too.
func (h *Header) readDovecotFile(text string) (string, bool) {
	for _, name := range dovecotProcesses {
		rest, ok := strings.CutPrefix(text, name)
		if ok && rest != "" && (rest[0] == ':' || rest[0] == '(') {
			h.Program = "dovecot"
			return text, true
		}
	}
	return "", false
}

// readDovecot1 reads "Info: auth(default): message" of Dovecot 1.x's own log
// file. The level goes, but for one of trouble: the message keeps that.
func (h *Header) readDovecot1(text, level, rest string) (string, bool) {
	message := text
	switch level {
	case "Info:", "Debug:":
		message = rest
	case "Warning:", "Error:", "Fatal:", "Panic:":
	default:
		return "", false
	}
	if _, ok := h.readDovecotFile(rest); !ok {
		return "", false
	}
	return message, true
}
