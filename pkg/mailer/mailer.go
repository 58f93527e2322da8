// Package mailer sends the daily report: by SMTP (RFC 5321) to a server, or through
// sendmail(1).
//
// Texts of the report come from a log, so a client may have written them. They go into
// the subject and the body only, where the mail library encodes them, and never into an
// address or another header. For example, a login name with a line break cannot add a
// recipient. The package reads no log and composes no report.
package mailer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"csmail/pkg/hint"
)

// DefaultSendmail is where Postfix installs sendmail(1).
const DefaultSendmail = "/usr/sbin/sendmail"

// timeout bounds a whole delivery.
const timeout = 60 * time.Second

// Options say how a mail leaves.
type Options struct {
	SMTP     string // host:port; empty: sendmail
	TLS      string // required, or none; empty: TLS where the server offers it
	Username string // empty: no login
	Password string
	Sendmail string // path of sendmail(1); empty: DefaultSendmail

	Within   time.Duration  // how long it may take; 0: a minute
	tlsFirst bool           // TLS from the first byte also on another port than 465
	at       string         // where the server is, if not where its name says
	roots    *x509.CertPool // of trusted certificates, if not those of the host
}

func (o Options) within() time.Duration { return cmp.Or(o.Within, timeout) }

// Mail is one report. Text and HTML are two forms of the same.
type Mail struct {
	From      string
	To        []string
	Subject   string
	Text      string
	HTML      string
	MessageID string // without angle brackets
	ListID    string // of RFC 2919, without angle brackets
	Date      time.Time
}

// Send sends the mail. The error of a server holds its words.
func Send(ctx context.Context, o Options, m Mail) error {
	ctx, cancel := context.WithTimeout(ctx, o.within())
	defer cancel()
	message, err := m.message()
	if err != nil {
		return err
	}
	if o.SMTP == "" {
		return o.sendmail(ctx, m, message)
	}
	client, err := o.client(ctx)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, message)
	if err == nil || message.IsDelivered() { // the server has it, however the session ended
		return nil
	}
	if isLate(ctx, err) {
		err = fmt.Errorf("no end within %s: %w", o.within(), err)
	}
	return hint.Wrap(fmt.Errorf("sending the report to %s: %w", o.SMTP, err), "%s", adviceFor(ctx, err, o))
}

// isLate reports whether the time was over.
func isLate(ctx context.Context, err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || ok && timeout.Timeout() || strings.Contains(err.Error(), os.ErrDeadlineExceeded.Error())
}

// dialUntil returns a function that connects to a mail server. The connection is closed
// with the context, because the mail library bounds the connecting only (v0.7.2): a
// server that says nothing would be waited for without end. The function's own context
// ends with the connecting. With settings of TLS, it begins at once.
func (o Options) dialUntil(ctx context.Context, settings *tls.Config) mail.DialContextFunc {
	return func(connecting context.Context, network, address string) (net.Conn, error) {
		dial := (&net.Dialer{}).DialContext
		if settings != nil {
			dial = (&tls.Dialer{Config: settings}).DialContext
		}
		conn, err := dial(connecting, network, cmp.Or(o.at, address))
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { conn.Close() })
		return conn, nil
	}
}

// message builds a multipart/alternative of text and HTML, both in base64: a report
// quotes texts that header and body checks refuse, and must pass these checks itself.
func (m Mail) message() (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithEncoding(mail.EncodingB64), mail.WithNoDefaultUserAgent())
	if err := message.From(m.From); err != nil {
		return nil, hint.Wrap(fmt.Errorf("sender %q of the report: %w", m.From, err), "--from csmail@example.org, or report.mail.from")
	}
	if err := message.To(m.To...); err != nil {
		return nil, hint.Wrap(fmt.Errorf("recipient %q of the report: %w", m.To, err), "--mail admin@example.org, or report.mail.to")
	}
	message.Subject(m.Subject)
	message.SetDateWithValue(m.Date)
	message.SetMessageIDWithValue(m.MessageID)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	message.SetGenHeaderPreformatted("List-Id", "<"+m.ListID+">")
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		message.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return message, nil
}

// sendmail hands the mail to sendmail(1). Its exit status, and what it writes to stderr, say
// whether the mail is in the queue: with a full disk Postfix's postdrop(1) tries without end.
func (o Options) sendmail(ctx context.Context, m Mail, message *mail.Msg) error {
	path := cmp.Or(o.Sendmail, DefaultSendmail)
	if _, err := os.Stat(path); err != nil {
		return hint.Wrap(fmt.Errorf("sending the report through sendmail: %w", err), "name a mail server instead: --smtp localhost:25")
	}
	// The library's own way to sendmail panics when the program ends before it has
	// read the mail (v0.7.2), so the mail is written first and then handed over.
	var text, said bytes.Buffer
	if _, err := message.WriteTo(&text); err != nil {
		return fmt.Errorf("writing the report as a mail: %w", err)
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"-i", "-f", m.From, "--"}, m.To...)...)
	cmd.Stdin, cmd.Stderr = &text, &said
	cmd.WaitDelay = time.Second // a child of a killed sendmail may keep its output open
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no end within %s", o.within())
		}
		if words := strings.TrimSpace(said.String()); words != "" {
			err = fmt.Errorf("%w: %s", err, words)
		}
		return hint.Wrap(fmt.Errorf("sending the report through %s: %w", path, err), "%s", adviceForSendmail(said.String(), path, m.To[0]))
	}
	return nil
}

func (o Options) client(ctx context.Context) (*mail.Client, error) {
	host, portText, err := net.SplitHostPort(o.SMTP)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("mail server %q: %w", o.SMTP, err), "write it like localhost:25 or mail.example.org:587")
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 1 || port > 65535 {
		return nil, hint.Wrap(fmt.Errorf("mail server %q: the port is no number from 1 to 65535", o.SMTP), "write it like localhost:25 or mail.example.org:587")
	}
	// A certificate of this host mostly names the host, not localhost.
	settings := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: o.roots, InsecureSkipVerify: o.TLS != "required" && isLoopback(host)}
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(o.within()), mail.WithoutNoop(), mail.WithTLSPolicy(mail.TLSOpportunistic), mail.WithTLSConfig(settings), mail.WithDialContextFunc(o.dialUntil(ctx, nil)),
	}
	switch {
	case o.TLS == "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case port == 465 || o.tlsFirst: // TLS from the first byte (RFC 8314)
		// Not WithSSL: with it and a way of our own to connect, the library (v0.7.2) takes
		// the connection for one without TLS, and refuses to log in.
		options = append(options, mail.WithDialContextFunc(o.dialUntil(ctx, settings)))
	case o.TLS == "required":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if o.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(o.Username), mail.WithPassword(o.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: %w", o.SMTP, err)
	}
	return client, nil
}

// isLoopback reports whether a mail server is on this host, so that the connection cannot
// be intercepted.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
