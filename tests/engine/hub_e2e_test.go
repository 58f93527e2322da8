//go:build e2e

package engine

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
	"csmail/pkg/scenario/expression"
)

// hubMeta and hubParsed are the fields that the hub's parsers for Postfix,
// postscreen, Dovecot and sshd set and that scenarios read.
var (
	hubMeta = []string{
		"source_ip", "source_hostname", "service", "log_type", "log_type_enh", "action", "pregreet", "dovecot_login_result", "machine", "target_user",
	}
	hubParsed = []string{
		"program", "message", "pid", "remote_addr", "remote_host", "action", "reason", "pregreet",
		"dovecot_user", "dovecot_login_message", "dovecot_remote_ip",
	}
	// hubDecides are the fields that a filter tells a line of its parser by.
	hubDecides = []string{"log_type", "log_type_enh", "action", "pregreet", "dovecot_login_result"}
)

// known are the differences between what the hub's parsers (Debian's, of 1.4.6)
// make of a line and what csmail's view of its event holds, each with its reason.
var known = map[string]string{
	aloneAndSilent: "the hub's parsers do not know these lines, and none of the hub's scenarios sees them here either",
	"csmail alone: non-smtp of postfix, log_type=postfix, log_type_enh=non-smtp-command": "the hub's parser of today takes it, Debian's did not",
	"csmail alone: auth-failed of dovecot, log_type=dovecot_logs, dovecot_login_result=auth_failed": "the hub takes no line of the " +
		"auth process with a session, but the login process's line after it; that one is folded here, so the attempt counts once in both",
	"csmail alone: auth-failed of sshd, log_type=ssh_failed-auth": "the hub's parser takes no name with an @",
	"hub alone: ambiguous":                  "the client's own text holds an address as well; csmail takes neither",
	"meta service: dovecot":                 "the hub's parser sets none",
	"parsed reason: postfix":                "the hub's parser of today cuts the reply code, the HELO name and the envelope off, Debian's did not",
	"parsed reason: sshd":                   "the hub's parser sets none",
	"parsed remote_addr: sshd":              "the address has the names of all parsers",
	"parsed dovecot_remote_ip: sshd":        "the address has the names of all parsers",
	"parsed dovecot_user: dovecot":          "the hub ends a name at its first >",
	"parsed reason: postscreen":             "the hub's parser sets none",
	"parsed reason: dovecot":                "the hub's parser sets none",
	"parsed dovecot_remote_ip: postfix":     "the address has the names of all parsers",
	"parsed dovecot_remote_ip: postscreen":  "the address has the names of all parsers",
	"parsed remote_addr: dovecot":           "the address has the names of all parsers",
	"parsed dovecot_login_message: dovecot": "the hub cuts the name of the PAM function off; the words that it looks for are the same",
}

const aloneAndSilent = "csmail alone, with none of the fields that the hub tells lines by"

// TestHubParsers compares, line by line, what the hub's own parsers in the real
// crowdsec set with what csmail gives its scenarios for the same line.
func TestHubParsers(t *testing.T) {
	log := rawLines(t)
	taken := hubTakes(t, log)
	got := map[string]string{} // difference → a line that shows it
	both := 0
	core := engine.New(engine.Options{})
	for i, text := range log {
		var r event.Record
		engine.Parse(logline.Line{Text: text, Received: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), Zone: time.UTC, Number: int64(i + 1)}, &r)
		core.Step(&r)
		theirs, hub := taken[text]
		switch ours := r.Outcome == event.Noted; {
		case hub && ours:
			both++
			compareLine(got, text, theirs, &r.Event)
		case hub:
			got[fmt.Sprintf("hub alone: %s", r.Outcome)] = text
		case ours:
			got[alone(&r.Event)] = text
		}
	}
	if both < 100 {
		t.Errorf("only %d lines are taken by both", both)
	}
	for _, difference := range slices.Sorted(maps.Keys(got)) {
		if known[difference] == "" {
			t.Errorf("%s\n\t%s", difference, got[difference])
		}
	}
	for difference := range known {
		if got[difference] == "" {
			t.Errorf("no line shows: %s", difference)
		}
	}
}

// rawLines are the recorded logs with a syslog header, and an example of each kind.
func rawLines(t *testing.T) []string {
	t.Helper()
	lines := slices.Concat(logLines(t, "../samples/mail-rfc3339.log"), logLines(t, "../samples/mail-rfc3164.log"))
	for i, template := range templates() {
		lines = append(lines, fmt.Sprintf("2026-11-23T13:00:%02d.000001+00:00 mx1 %s", i%60, template.text))
	}
	for _, text := range []string{
		"Failed password for root from 192.0.2.1 port 4711 ssh2",
		"Failed password for invalid user admin from 192.0.2.1 port 4711 ssh2",
		"Invalid user admin from 192.0.2.1 port 4711",
		"Connection closed by authenticating user root 192.0.2.1 port 4711 [preauth]",
		"Disconnected from invalid user admin 192.0.2.1 port 4711 [preauth]",
	} {
		lines = append(lines, "2026-11-23T13:00:59.000001+00:00 mx1 sshd[43]: "+text)
	}
	return lines
}

// hubTakes returns the lines that the hub's parsers take.
func hubTakes(t *testing.T, log []string) map[string]Line {
	t.Helper()
	hub, err := Hub()
	if err != nil {
		t.Fatal(err)
	}
	var parsers []string
	for _, name := range []string{"postfix-logs", "postscreen-logs", "dovecot-logs", "sshd-logs"} {
		parsers = append(parsers, filepath.Join(hub, "parsers", stageParse, "crowdsecurity", name+".yaml"))
	}
	s, err := NewSetup(parsers...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := s.Parse(t.Context(), "syslog", []byte(strings.Join(log, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	taken := make(map[string]Line, len(lines))
	for _, l := range lines {
		taken[l.Raw] = l
	}
	return taken
}

func compareLine(got map[string]string, text string, theirs Line, e *event.Event) {
	meta, parsed := expression.View(e)
	for _, key := range hubMeta {
		if meta[key] != theirs.Meta[key] {
			got[fmt.Sprintf("meta %s: %s", key, e.Service)] = fmt.Sprintf("%q, hub %q: %s", meta[key], theirs.Meta[key], text)
		}
	}
	for _, key := range hubParsed {
		if parsed[key] != theirs.Parsed[key] {
			got[fmt.Sprintf("parsed %s: %s", key, e.Service)] = fmt.Sprintf("%q, hub %q: %s", parsed[key], theirs.Parsed[key], text)
		}
	}
}

// alone names a line that only csmail takes, with what the view says of it in
// the hub's terms.
func alone(e *event.Event) string {
	meta, _ := expression.View(e)
	terms := ""
	for _, key := range hubDecides {
		if meta[key] != "" {
			terms += fmt.Sprintf(", %s=%s", key, meta[key])
		}
	}
	if terms == "" {
		return aloneAndSilent
	}
	return fmt.Sprintf("csmail alone: %s of %s%s", e.Kind, e.Service, terms)
}
