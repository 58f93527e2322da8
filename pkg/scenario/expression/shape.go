package expression

import (
	"strings"

	"csmail/pkg/event"
)

// Shape is the reading of an event's line by the mail parsers of CrowdSec's hub: the
// parser that takes it, and the enumerated fields that it sets. A line without a parser
// has no shape.
type Shape uint8

const (
	noShape            Shape = iota
	shapeSpamAttempt         // postfix-logs: SASL failure, lost connection
	shapeNonSMTP             // postfix-logs: non-SMTP command
	shapeReject              // postfix-logs: NOQUEUE: reject
	shapePregreet            // postscreen-logs
	shapeDovecotFailed       // dovecot-logs, auth_failed
	shapeDovecotOther        // dovecot-logs, another result
	shapeSSHFailed           // sshd-logs, ssh_failed-auth

	// Shapes is the number of shapes, including the one of a line without a parser.
	Shapes
)

func (s Shape) isDovecot() bool { return s == shapeDovecotFailed || s == shapeDovecotOther }

// read returns the value that the hub's parser sets for an enumerated field, "" if it
// sets none.
func (s Shape) read(f Field) string {
	switch {
	case f == fieldLogType && (s == shapeSpamAttempt || s == shapeNonSMTP || s == shapeReject):
		return "postfix"
	case f == fieldLogType && s.isDovecot():
		return "dovecot_logs"
	case f == fieldLogType && s == shapeSSHFailed:
		return "ssh_failed-auth"
	case f == fieldLogTypeEnh && s == shapeSpamAttempt:
		return "spam-attempt"
	case f == fieldLogTypeEnh && s == shapeNonSMTP:
		return "non-smtp-command"
	case f == fieldAction && s == shapeReject:
		return "reject"
	case f == fieldLoginResult && s == shapeDovecotFailed:
		return "auth_failed"
	case f == fieldPregreet && s == shapePregreet:
		return "PREGREET"
	}
	return ""
}

// ShapeOf follows postfix-logs.yaml, postscreen-logs.yaml, dovecot-logs.yaml and
// sshd-logs.yaml of CrowdSec's hub.
func ShapeOf(e *event.Event) Shape {
	switch e.Service {
	case event.Postfix:
		if strings.HasSuffix(e.Program, "/smtpd") {
			return smtpdShape(e)
		}
	case event.Postscreen:
		if strings.HasPrefix(e.Message, "PREGREET ") && (e.Program == "postfix/postscreen" || e.Program == "haproxy/postscreen") {
			return shapePregreet
		}
	case event.Dovecot:
		return dovecotShape(e.Message)
	case event.SSHD:
		if isSSHFailed(e) {
			return shapeSSHFailed
		}
	}
	return noShape
}

// isSSHFailed reports whether sshd-logs.yaml gives the event's line the type
// ssh_failed-auth: a refused login, one that the client left half-way, and a banner that
// is no SSH.
func isSSHFailed(e *event.Event) bool {
	switch e.Kind {
	case event.AuthFailed:
		return true
	case event.NonSSH:
		return strings.HasPrefix(e.Message, "banner exchange: ")
	case event.AuthAborted:
		rest, ok := strings.CutPrefix(e.Message, "Connection closed by ")
		if !ok {
			rest, ok = strings.CutPrefix(e.Message, "Disconnected from ")
		}
		return ok && strings.HasSuffix(rest, " [preauth]") &&
			(strings.HasPrefix(rest, "authenticating user ") || strings.HasPrefix(rest, "invalid user "))
	}
	return false
}

// smtpdShape follows postfix-logs.yaml for the lines of smtpd.
func smtpdShape(e *event.Event) Shape {
	message := e.Message
	if warning, ok := strings.CutPrefix(message, "warning: "); ok {
		switch {
		case e.Kind == event.NonSMTP && strings.Contains(warning, "]: "):
			return shapeNonSMTP
		case e.Kind == event.AuthFailed || e.Kind == event.AuthFault:
			return saslShape(warning)
		}
		return noShape
	}
	message, queued := strings.CutPrefix(message, "NOQUEUE: ")
	switch {
	case strings.HasPrefix(message, "lost connection after "):
		return shapeSpamAttempt
	case queued && strings.HasPrefix(message, "reject: "):
		return shapeReject
	}
	return noShape
}

// saslShape reads "NAME[ADDR]: SASL MECH authentication failed:…"; the hub's pattern has
// four mechanisms and no port.
func saslShape(warning string) Shape {
	name, rest, ok := strings.Cut(warning, "]: SASL ")
	if !ok || strings.ContainsAny(name, " _") {
		return noShape
	}
	mechanism, rest, ok := strings.Cut(rest, " ")
	if !ok || !strings.HasPrefix(rest, "authentication failed:") {
		return noShape
	}
	switch strings.ToUpper(mechanism) {
	case "LOGIN", "PLAIN", "CRAM-MD5", "DIGEST-MD5":
		return shapeSpamAttempt
	}
	return noShape
}

// dovecotShape follows dovecot-logs.yaml. It marks a login as failed if the text holds
// one of the parser's phrases.
func dovecotShape(message string) Shape {
	said := loginMessage(message)
	if said == "" {
		return noShape
	}
	for _, failure := range [...]string{"Authentication failure", "Password mismatch", "password mismatch", "auth failed", "unknown user"} {
		if strings.Contains(said, failure) {
			return shapeDovecotFailed
		}
	}
	return shapeDovecotOther
}

// loginMessage is the hub's dovecot_login_message, "" for a line that its parser
// does not read: "PROTO-login: SAID: user=<U>…, rip=A, lip=A",
// "auth-worker(N): [conn …: ]DRIVER(U,A,…): SAID" and
// "auth: passwd-file(U,A): SAID".
func loginMessage(message string) string {
	if rest, ok := strings.CutPrefix(message, "auth: passwd-file("); ok {
		_, said, ok := strings.Cut(rest, "): ")
		if !ok || strings.HasPrefix(said, "<") {
			return ""
		}
		return said
	}
	if rest, ok := strings.CutPrefix(message, "auth-worker("); ok {
		return workerMessage(rest)
	}
	proto, rest, ok := strings.Cut(message, "-login: ")
	if !ok || strings.ContainsAny(proto, " :-") {
		return ""
	}
	said, elements, ok := strings.Cut(rest, ": user=<")
	if !ok || !strings.Contains(elements, ", rip=") || !strings.Contains(elements, ", lip=") {
		return ""
	}
	return said
}

// workerMessage returns the text of an auth-worker behind its process ID and connection.
func workerMessage(text string) string {
	pid, rest, ok := strings.Cut(text, "): ")
	if !ok || pid == "" || strings.Trim(pid, "0123456789") != "" {
		return ""
	}
	rest = strings.TrimPrefix(rest, "Info: ")
	if conn, ok := strings.CutPrefix(rest, "conn unix:auth-worker ("); ok {
		if _, rest, ok = strings.Cut(conn, ">: "); !ok {
			return ""
		}
	}
	driver, rest, ok := strings.Cut(rest, "(")
	if !ok || driver == "" || strings.ContainsAny(driver, " -:") {
		return ""
	}
	_, said, ok := strings.Cut(rest, "): ")
	if !ok {
		return ""
	}
	return said
}

// Plausible reports whether an event of the kind can have the shape, so that the set of
// kinds that a scenario counts is no larger than necessary.
func (s Shape) Plausible(k event.Kind, service event.Service) bool {
	switch s {
	case noShape:
		return true
	case shapeSpamAttempt:
		return service == event.Postfix && (k == event.LostConnection || k == event.AuthFailed || k == event.AuthFault)
	case shapeNonSMTP:
		return service == event.Postfix && k == event.NonSMTP
	case shapeReject:
		return service == event.Postfix && isReject(k)
	case shapePregreet:
		return service == event.Postscreen && (k == event.Pregreet || k == event.ProtocolError)
	case shapeDovecotFailed:
		return service == event.Dovecot && (k == event.AuthFailed || k == event.LoginRefused || k == event.OwnRefusal)
	case shapeDovecotOther:
		return service == event.Dovecot
	}
	return service == event.SSHD && k == event.AuthFailed
}

// isReject reports whether a "NOQUEUE: reject" can have the kind.
func isReject(k event.Kind) bool {
	switch k {
	case event.RelayDenied, event.HeloRejected, event.AccessDenied, event.NoHostname, event.DNSBLListed, event.RelayRefused,
		event.HeloDeferred, event.SenderRejected, event.RecipientUnknown, event.PolicyRejected, event.ProtocolError,
		event.BareNewline, event.Pipelining, event.OwnRefusal, event.ServerFault, event.LookupFault, event.DNSBLFault,
		event.RateLimited, event.DNSFault:
		return true
	}
	return false
}
