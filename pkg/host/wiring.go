package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"time"
)

// MailSettings is the output of postconf(1) and doveconf(1). An empty text means that the
// server is not on this host, or did not answer.
type MailSettings struct {
	Main, Services, Overrides string // postconf -n, -M, -P
	Dovecot                   string // doveconf -n
}

// AskMailSettings asks postconf(1) and doveconf(1), if their files exist. A failure of
// one is returned as an error, beside the output of the other.
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
		s.Services = "" // half of Postfix's answers would look as if no service asked
	}
	return s, errors.Join(failed...)
}

// TestLogin has Dovecot's auth process judge a login that nobody makes, as if it came
// from an address by IMAP, and returns what doveadm(1) prints ("" without Dovecot). It
// takes root's rights.
func TestLogin(ctx context.Context, user, password string, from netip.Addr) (string, error) {
	return usual().printed(ctx, "doveadm", "auth", "test", "-x", "service=imap", "-x", "rip="+from.String(), user, password)
}

// LookUp has Postfix look a key up in a table, and returns what postmap(1) prints; ""
// without a result.
func LookUp(ctx context.Context, table, key string) (string, error) {
	return usual().printed(ctx, "postmap", "-q", key, table)
}

// programTimeout bounds a program that waits for a daemon: Dovecot holds an answer back for up to 15 s.
const programTimeout = 25 * time.Second

// printed runs a program and returns what it prints. A status other than 0 with nothing on the standard error is an answer, too.
func (p places) printed(ctx context.Context, program string, args ...string) (string, error) {
	path := p.find(program)
	if path == "" {
		return "", fmt.Errorf("there is no %s here", program)
	}
	ctx, cancel := context.WithTimeout(ctx, programTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s gave no answer: %w", program, context.Cause(ctx))
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if ok && len(out) == 0 && len(exit.Stderr) > 0 {
		return "", fmt.Errorf("%s: %q", program, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil && !ok {
		return "", fmt.Errorf("running %s: %w", program, err)
	}
	return string(out), nil
}
