package mailer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"

	"github.com/wneessen/go-mail"
)

// adviceFor returns the remedy for a failed delivery.
func adviceFor(ctx context.Context, err error, o Options) string {
	if advice := adviceForTLS(err, o); advice != "" {
		return advice
	}
	if code, words := replyOf(err); code != 0 {
		return adviceForReply(code, words, o)
	}
	if isLate(ctx, err) {
		return "the server does not answer; ports 25 and 587 begin without TLS, 465 with it"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "is a mail server there? report.mail.smtp of the configuration or --smtp names another, --sendmail uses sendmail(1)"
	}
	for words, advice := range map[string]string{
		"does not support STARTTLS":  "the server offers no TLS: take its port 465, or on a network that nobody else reads report.mail.tls: none",
		"autodiscover":               "the server offers no login that csmail knows, or not without TLS: report.mail.tls: required",
		"does not support SMTP AUTH": "the server offers no login here: take its port 587 or 465, or leave report.mail.username out",
	} {
		if strings.Contains(err.Error(), words) {
			return advice
		}
	}
	return "the server closed the connection; its log says why. csmail-report.service tries again by itself"
}

// adviceForTLS returns the remedy for a TLS handshake that failed, "" for another error.
func adviceForTLS(err error, o Options) string {
	host, _, _ := net.SplitHostPort(o.SMTP)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "this host does not trust the issuer of the server's certificate: add it by update-ca-certificates, or send by sendmail(1)"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("write a name into report.mail.smtp that the server's certificate has; it has not %s", host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the server's certificate is of another time: renew it, and look at the clock of this host"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not begin with TLS on this port; 587 and 25 begin without it"
	}
	return ""
}

// replyOf returns a server's reply of 4xx or 5xx.
func replyOf(err error) (code int, words string) {
	if send, ok := errors.AsType[*mail.SendError](err); ok {
		return send.ErrorCode(), send.Error()
	}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return reply.Code, reply.Msg
	}
	return 0, ""
}

// adviceForReply returns the remedy for a server's reply (RFC 5321 section 4.2, RFC 4954
// section 6, RFC 3207 section 4).
func adviceForReply(code int, words string, o Options) string {
	switch {
	case code < 500:
		return "the server wants to be asked again later, as csmail-report.service does by itself"
	case code == 530 && strings.Contains(words, "STARTTLS"):
		return "the server wants TLS: report.mail.tls: required, or leave the key out"
	case code == 534, code == 535:
		return "report.mail.username and report.mail.password of the configuration: the server does not take this login"
	case code == 552:
		return "the mail is too large for the server: --top 3 makes it shorter"
	case o.Username == "" && (code == 530 || code >= 550 && code <= 554):
		return "does the recipient exist (--mail, report.mail.to)? A server that relays wants a login: report.mail.username and report.mail.password"
	}
	return "the server's words say why; report.mail of the configuration holds its address and login, the sender and the recipients"
}

// adviceForSendmail returns the remedy for a sendmail(1) that failed, by what it wrote.
func adviceForSendmail(words, path, to string) string {
	switch {
	case strings.Contains(words, "No space left"), strings.Contains(words, "free space"):
		return "df -h /var/spool/postfix: the disk of the mail queue is full. csmail-report.service tries again by itself"
	case strings.Contains(words, "Permission denied"):
		return "the user that runs csmail may not use sendmail(1): ls -l /usr/sbin/postdrop shows who may"
	case strings.Contains(words, "message file too big"), strings.Contains(words, "File too large"):
		return "the mail is larger than message_size_limit of Postfix: --top 3 makes it shorter"
	}
	return fmt.Sprintf("try it by hand: echo test | %s -i %s", path, to)
}
