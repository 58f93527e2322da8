// Package wiring finds the services of Postfix and Dovecot that ask csmail before they
// let a client in, and those of their settings that would shut out honest clients while
// csmail is dead. It reads the output of postconf(1) and doveconf(1). It runs no program,
// opens no file and changes nothing.
package wiring

import (
	"fmt"
	"slices"
	"strings"
)

// Settings is the output of the programs that print the settings of a mail server. An empty text: that server is not here.
type Settings struct {
	Main      string // postconf -n
	Services  string // postconf -M
	Overrides string // postconf -P
	Dovecot   string // doveconf -n
}

// Doors is where csmail listens, as configured: "127.0.0.1:10040", "unix:/path".
type Doors struct{ Policy, AuthPolicy, Socketmap []string }

// Service is one service that takes logins or mail.
type Service struct {
	Name string `json:"name"` // as in master.cf: "submission/inet"; "dovecot"
	Asks bool   `json:"asks"` // whether it asks csmail

	Table string `json:"table,omitempty"` // postscreen's: what it looks clients up in
}

// Finding is a setting that does harm, and the command that mends it.
type Finding struct {
	Service string `json:"service"`
	Problem string `json:"problem"`
	Mend    string `json:"mend"`
}

// Report describes the settings.
type Report struct {
	Services []Service `json:"services"`
	Findings []Finding `json:"findings"`
}

// Read judges the settings of Postfix and Dovecot.
func Read(s Settings, doors Doors) Report {
	var r Report
	if s.Services != "" {
		r.readPostfix(s, doors)
	}
	if s.Dovecot != "" {
		r.readDovecot(s.Dovecot, doors)
	}
	return r
}

func (r *Report) add(service, mend, problem string, args ...any) {
	r.Findings = append(r.Findings, Finding{Service: service, Problem: fmt.Sprintf(problem, args...), Mend: mend})
}

// parse reads lines of "name = value" and leaves comments out. Dovecot 2.4 prints settings that share the beginning of their names as a block: server_url
// in auth_policy { is auth_policy_server_url.
func parse(text string) map[string]string {
	values := map[string]string{}
	var blocks []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "}":
			blocks = blocks[:max(0, len(blocks)-1)]
		case !strings.Contains(line, "=") && strings.HasSuffix(line, "{"):
			blocks = append(blocks, strings.TrimSpace(strings.TrimSuffix(line, "{")))
		default:
			if name, value, ok := strings.Cut(line, "="); ok {
				name = strings.Join(append(slices.Clone(blocks), strings.TrimSpace(name)), "_")
				values[name] = strings.TrimSpace(value)
			}
		}
	}
	return values
}

// samePort reports whether place, of the form host:port, has the port of one of the doors. The host is not compared: the mail server in a container
// reaches csmail by another name than csmail listens at.
func samePort(place string, doors []string) bool {
	for _, door := range doors {
		if port := portOf(door); port != "" && port == portOf(place) {
			return true
		}
	}
	return false
}

func portOf(place string) string {
	if strings.HasPrefix(place, "unix:") || strings.HasPrefix(place, "/") {
		return ""
	}
	return place[strings.LastIndexByte(place, ':')+1:]
}

// quote makes one word of the shell of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
