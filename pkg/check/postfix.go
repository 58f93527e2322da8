package check

import (
	"context"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"csmail/pkg/enforce/wiring"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// postfix finds settings of Postfix that keep facts out of the log that csmail needs
// (postconf(5)).
func (p *prober) postfix(ctx context.Context) (string, []Finding) {
	settings, err := p.settings(ctx)
	if err != nil {
		return "", []Finding{{Warning, err.Error(), "run csmail check as root"}}
	}
	if settings.Services == "" {
		return "there is no Postfix on this host", nil
	}
	if !p.Config.Detect {
		return "detect is false: its log is not read", nil
	}
	main, overrides := wiring.Values(settings.Main), wiring.Values(settings.Overrides)
	found := p.elsewhere(ctx, "Postfix", main["maillog_file"], "postconf -X maillog_file && postfix reload")
	found = append(found, p.facility("Postfix", main["syslog_facility"], "postconf -X syslog_facility && postfix reload")...)
	found = append(found, syslogNames(main, overrides)...)
	found = append(found, postfixAdvice(main)...)
	found = append(found, proxied(settings.Dovecot, main, overrides)...)
	return "its log has what csmail needs", found
}

// postfixAdvice finds settings that leave csmail fewer facts.
func postfixAdvice(main map[string]string) (found []Finding) {
	if main["enable_long_queue_ids"] != "yes" {
		found = append(found, note("sudo postconf -e enable_long_queue_ids=yes && sudo postfix reload",
			"enable_long_queue_ids = no: queue IDs come again within the hour, and the report may join two mails")...)
	}
	switch level := main["smtpd_tls_loglevel"]; {
	case level == "" || level == "0":
		found = append(found, note("sudo postconf -e smtpd_tls_loglevel=1 && sudo postfix reload",
			"smtpd_tls_loglevel = 0: the log does not say which sessions were encrypted")...)
	case level != "1":
		found = append(found, warning("sudo postconf -e smtpd_tls_loglevel=1 && sudo postfix reload",
			"smtpd_tls_loglevel = %s fills the log with debugging output", level)...)
	}
	if main["smtpd_peername_lookup"] == "no" {
		found = append(found, note("sudo postconf -e smtpd_peername_lookup=yes && sudo postfix reload",
			"smtpd_peername_lookup = no: no client has a name, so bans for missing names are held")...)
	}
	return found
}

// variable is $name, ${...} or $(...) in a setting.
var variable = regexp.MustCompile(`\$(\w+|\{[^}]*\}|\([^)]*\))`)

// syslogNames returns the values of syslog_name that keep csmail from recognising
// smtpd's lines, by the grammar itself.
func syslogNames(main, overrides map[string]string) (found []Finding) {
	names := map[string]string{"main.cf": main["syslog_name"]}
	for key, value := range overrides {
		if service, ok := strings.CutSuffix(key, "/syslog_name"); ok {
			names[service] = value
		}
	}
	for _, where := range slices.Sorted(maps.Keys(names)) {
		name := variable.ReplaceAllString(names[where], "x")
		if name == "" || knowsTag(name+"/smtpd") {
			continue
		}
		found = append(found, Finding{Critical, where + ": csmail does not know Postfix under syslog_name = " + names[where], "sudo postconf -X syslog_name, or give it the form postfix/NAME"})
	}
	return found
}

// knowsTag reports whether a line with this syslog tag is read as Postfix's.
func knowsTag(tag string) bool {
	var r event.Record
	engine.Parse(logline.Line{Text: "2026-11-29T06:00:00+00:00 mx " + tag + "[1]: lost connection after AUTH from unknown[192.0.2.1]"}, &r)
	return r.Addr.IsValid() && r.Service == event.Postfix
}

// proxied finds a Postfix without the PROXY protocol beside a Dovecot that has it: a
// proxy in front of both hides the clients from Postfix.
func proxied(dovecot string, main, overrides map[string]string) []Finding {
	if !hasHAProxy.MatchString(dovecot) {
		return nil
	}
	for key, value := range overrides {
		if strings.HasSuffix(key, "_upstream_proxy_protocol") && value != "" {
			return nil
		}
	}
	if main["smtpd_upstream_proxy_protocol"] != "" || main["postscreen_upstream_proxy_protocol"] != "" {
		return nil
	}
	return warning("sudo postconf -P smtp/inet/smtpd_upstream_proxy_protocol=haproxy (with postscreen: postscreen_upstream_proxy_protocol)",
		"Dovecot's clients come through a proxy, and Postfix does not speak its protocol: it would log the proxy for every client")
}

var hasHAProxy = regexp.MustCompile(`(?m)^\s+haproxy\s*=\s*yes`)

// elsewhere finds a log file of a mail server that csmail does not follow. An empty file
// or "syslog" stands for syslog.
func (p *prober) elsewhere(ctx context.Context, who, file, mend string) []Finding {
	if file == "" || file == "syslog" {
		return nil
	}
	if follows, known := p.follows(ctx, file); follows || !known {
		return nil
	}
	return critical("in /etc/csmail/csmail.yaml.local: sources: [{source: file, filenames: ["+file+"]}]; or log to syslog: "+mend,
		"%s logs to %s, and csmail does not follow that file", who, file)
}

// follows reports whether csmail follows a file. It is known from the configuration, or,
// where that names no source, from the daemon.
func (p *prober) follows(ctx context.Context, file string) (follows, known bool) {
	for _, s := range p.Config.Sources {
		for _, glob := range s.Files() {
			if match, err := filepath.Match(glob, file); err == nil && match {
				return true, true
			}
		}
	}
	if len(p.Config.Sources) > 0 {
		return false, true
	}
	s, err := p.status(ctx)
	for _, source := range s.Sources {
		if source.Name == file {
			return true, true
		}
	}
	return false, err == nil && len(s.Sources) > 0
}

// facility finds a syslog facility that the journal's filter leaves out.
func (p *prober) facility(who, facility, mend string) []Finding {
	if facility == "" || facility == "mail" {
		return nil
	}
	for _, s := range p.Config.Sources {
		if s.Source != "journalctl" || len(s.JournalctlFilter) > 0 && !slices.Equal(s.JournalctlFilter, []string{"SYSLOG_FACILITY=2"}) {
			return nil // a file, or a filter that the administrator chose
		}
	}
	return critical("sudo "+mend+"; or widen journalctl_filter", "%s logs with the facility %s, and csmail reads the facility mail", who, facility)
}
