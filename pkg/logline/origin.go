package logline

import "strings"

// readOrigin reads host and tag after the stamp and returns the message.
func (h *Header) readOrigin(text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, "<"); ok { // FreeBSD: "<mail.info> host tag:"
		_, after, found := strings.Cut(rest, "> ")
		if !found {
			return "", false
		}
		text = after
	}
	if text != "" && text[0] == '[' { // metalog: "[postfix/smtpd] message"
		return h.readBracketedTag(text)
	}
	first, rest, ok := strings.Cut(text, " ")
	if !ok {
		return "", false
	}
	if strings.ContainsAny(first, ":(") {
		return h.readHostless(text, first, rest)
	}
	if isLevel(first) { // busybox -S: a level, no host
		return h.readTagged(rest)
	}
	h.Host = first
	if second, after, found := strings.Cut(rest, " "); found && isLevel(second) { // busybox
		rest = after
	}
	return h.readTagged(rest)
}

// readHostless reads what begins with a tag, or a level as socklog writes it,
// or is a line of Dovecot's own log file.
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
	h.Host = first // an IPv6 address as host name
	return h.readTagged(rest)
}

// readTagged reads "tag[pid]: message".
func (h *Header) readTagged(text string) (string, bool) {
	end := strings.IndexByte(text, ' ')
	if end < 0 {
		end = len(text)
	}
	if end == 0 || text[end-1] != ':' {
		return text, true // a kernel line or another tag that has no end: a header all the same
	}
	if !h.readTag(text[:end]) {
		return text, true
	}
	return skipMessageID(strings.TrimPrefix(text[end:], " ")), true
}

// readTag reads "postfix/smtpd[4242]:" or "dovecot:".
func (h *Header) readTag(tag string) bool {
	tag = strings.TrimSuffix(tag, ":")
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

func (h *Header) readBracketedTag(text string) (string, bool) {
	tag, msg, ok := strings.Cut(text[1:], "] ")
	h.Program = tag
	return msg, ok && tag != ""
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

// isLevel knows "mail.info" and its kin: a facility, a dot, a severity.
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

// dovecotProcesses are the services of Dovecot 2.2-2.4 that name themselves at
// the start of a line of Dovecot's own log file (log_path), which has neither
// a host nor the tag "dovecot".
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
