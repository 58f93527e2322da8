package host

import (
	"context"
	"errors"
	"fmt"
)

// MailSettings is what postconf(1) and doveconf(1) print. An empty text: that server is not on this host, or did not answer.
type MailSettings struct {
	Main, Services, Overrides string // postconf -n, -M, -P
	Dovecot                   string // doveconf -n
}

// AskMailSettings asks postconf(1) and doveconf(1), where their files are. What one of them does not answer comes back as an error, beside the rest.
func AskMailSettings(ctx context.Context) (MailSettings, error) { return usual().mailSettings(ctx) }

func (p places) mailSettings(ctx context.Context) (MailSettings, error) {
	var s MailSettings
	var failed []error
	ask := func(to *string, file, program, option string) {
		if file == "" || p.find(program) == "" {
			return
		}
		out, err := p.ask(ctx, file, program, option)
		if err != nil {
			failed = append(failed, fmt.Errorf("asking %s %s: %w", program, option, err))
		}
		*to = out
	}
	main := firstOf(p.postfix, "main.cf")
	ask(&s.Main, main, "postconf", "-n")
	ask(&s.Services, main, "postconf", "-M")
	ask(&s.Overrides, main, "postconf", "-P")
	ask(&s.Dovecot, firstOf(p.dovecot, "dovecot.conf"), "doveconf", "-n")
	if len(failed) > 0 {
		s.Services = "" // half of Postfix's answers would say that nobody asks
	}
	return s, errors.Join(failed...)
}
