package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"csmail/pkg/hint"
	"csmail/pkg/mailer"
	"csmail/pkg/render/page"
	"csmail/pkg/report/document"
)

// checkForm returns an error for flags that have no effect or contradict each other. A
// variable of a script that is not set leaves --mail empty.
func (o reportOptions) checkForm() error {
	isText := o.output == "human" || o.output == "html"
	switch {
	case o.pflogsumm && o.output != "human":
		return hint.Wrap(fmt.Errorf("--pflogsumm is a text, not %s", o.output), "leave -o out, or --pflogsumm: the figures of both are the same")
	case !o.mailSet:
		return o.checkUnsent()
	case !slices.ContainsFunc(o.mail, func(address string) bool { return strings.TrimSpace(address) != "" }):
		return hint.Wrap(errors.New("--mail names no address"), "--mail admin@example.org; - stands for report.mail.to of the configuration")
	case o.smtp != "" && o.sendSet:
		return hint.Wrap(errors.New("--smtp and --sendmail are two ways to send one mail"), "leave one of them out")
	case o.pflogsumm:
		return hint.Wrap(errors.New("--mail sends the whole report, not --pflogsumm"), "csmail report --pflogsumm | mail -s pflogsumm root")
	case !isText:
		return hint.Wrap(fmt.Errorf("--mail sends the report as text and HTML, not as %s", o.output), "leave -o out")
	}
	return nil
}

// checkUnsent returns an error for flags that only a mail needs.
func (o reportOptions) checkUnsent() error {
	for _, flag := range []struct {
		name  string
		given bool
	}{{"from", o.from != ""}, {"smtp", o.smtp != ""}, {"sendmail", o.sendSet}} {
		if flag.given {
			return hint.Wrap(fmt.Errorf("--%s has no effect without --mail", flag.name), "--mail ADDRESS sends the report instead of printing it")
		}
	}
	return nil
}

// send mails the report. Settings without a flag come from the configuration.
func (r dailyReport) send(ctx context.Context, d *document.Document) error {
	var text, html strings.Builder
	if err := page.Text(&text, d, r.top); err != nil {
		return err
	}
	if err := page.HTML(&html, d, r.top); err != nil {
		return err
	}
	settings := r.config.Report.Mail
	host := mailHost()
	options := mailer.Options{SMTP: cmp.Or(r.smtp, settings.SMTP), TLS: settings.TLS, Username: settings.Username, Password: settings.Password, Sendmail: r.sendmail}
	if r.sendSet {
		options.SMTP = ""
	}
	return mailer.Send(ctx, options, mailer.Mail{
		From: cmp.Or(r.from, settings.From, "csmail@"+host), To: withHost(r.recipients(), host), Subject: page.Subject(d), Text: text.String(), HTML: html.String(),
		MessageID: r.messageID(d, host), ListID: "report.csmail." + host, Date: r.now,
	})
}

// recipients returns those of --mail; "-" stands for those of the configuration.
func (r dailyReport) recipients() []string {
	var to []string
	for _, address := range r.mail {
		if address == "-" {
			to = append(to, r.config.Report.Mail.To...)
			continue
		}
		to = append(to, address)
	}
	return to
}

// mailHost returns this host's name, for the sender and the Message-ID.
func mailHost() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsAny(name, " <>@\r\n") {
		return "localhost.localdomain"
	}
	return name
}

// shortHost returns this host's name as syslog writes it, without its domain.
func shortHost() string {
	name, _, _ := strings.Cut(mailHost(), ".")
	return name
}

// withHost completes local names: root becomes root@HOST.
func withHost(addresses []string, host string) []string {
	out := make([]string, 0, len(addresses))
	for _, a := range addresses {
		if !strings.Contains(a, "@") {
			a += "@" + host
		}
		out = append(out, a)
	}
	return out
}

// messageID is the same for each report of one window and the same logs, whatever they
// hold by now, so that a repeated one replaces the first in a mail program.
func (r dailyReport) messageID(d *document.Document, host string) string {
	since, until := r.input.scope.Since, r.input.scope.Until
	if since.IsZero() && until.IsZero() {
		since, until = d.From, d.To
	}
	named := append([]string{host, fmt.Sprint(since.Unix()), fmt.Sprint(until.Unix()), r.journalFile}, r.files...)
	sum := sha256.Sum256([]byte(strings.Join(named, "\x00")))
	return "report-" + hex.EncodeToString(sum[:12]) + "@" + host
}
