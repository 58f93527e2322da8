package check

import (
	"context"
	"strings"

	"csmail/pkg/enforce/wiring"
)

// dovecot finds settings of Dovecot 2.3 and 2.4 that keep facts out of the log that
// csmail needs.
func (p *prober) dovecot(ctx context.Context) (string, []Finding) {
	settings, err := p.settings(ctx)
	if err != nil {
		return "", []Finding{{Warning, err.Error(), "run csmail check as root"}}
	}
	if settings.Dovecot == "" {
		return "there is no Dovecot on this host", nil
	}
	if !p.Config.Detect {
		return "detect is false: its log is not read", nil
	}
	values := wiring.Values(settings.Dovecot)
	file := values["info_log_path"]
	if file == "" {
		file = values["log_path"]
	}
	found := p.elsewhere(ctx, "Dovecot", file, setDovecot("log_path = syslog"))
	found = append(found, p.facility("Dovecot", values["syslog_facility"], setDovecot("syslog_facility = mail"))...)
	if elements := values["login_log_format_elements"]; elements != "" && !strings.Contains(elements, "rip=") {
		found = append(found, critical("take login_log_format_elements out of Dovecot's configuration && sudo doveadm reload",
			"login_log_format_elements leaves out the client's address: no login has a source")...)
	}
	if values["auth_verbose"] != "yes" {
		found = append(found, note("sudo sh -c "+quote(setDovecot("auth_verbose = yes")),
			"auth_verbose = no: the log does not say why a login failed, and which account a login by SMTP was for")...)
	}
	return "its log has what csmail needs", found
}

// dovecotFile holds the settings that Dovecot's own files lack; it is read last.
const dovecotFile = "/etc/dovecot/conf.d/99-csmail-log.conf"

func setDovecot(line string) string {
	return `echo "` + line + `" >> ` + dovecotFile + ` && doveadm reload`
}

// quote makes one word of the shell of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
