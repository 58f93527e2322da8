package wiring

import (
	"path"
	"strings"
)

// restrictions are the lists that may hold check_policy_service (postconf(5)).
var restrictions = []string{
	"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
	"smtpd_recipient_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions", "smtpd_etrn_restrictions",
}

// postfix is the settings of all services.
type postfix struct{ main, overrides map[string]string }

// smtpd is one line of master.cf.
type smtpd struct {
	name   string // "submission/inet"
	chroot bool
}

// question is one check_policy_service.
type question struct {
	list  string // the setting that holds it
	word  string // in the form of the setting
	place string // "unix:path", "inet:host:port"
	attrs map[string]string
}

func (r *Report) readPostfix(s Settings, doors Doors) {
	p := postfix{main: parse(s.Main), overrides: parse(s.Overrides)}
	for _, service := range smtpds(s.Services) {
		asks := false
		for _, q := range p.questions(service.name) {
			if p.isOurs(q.place, doors.Policy) {
				asks = true
				r.judge(p, service, q)
			}
		}
		r.Services = append(r.Services, Service{Name: service.name, Asks: asks})
	}
	r.readPostscreen(p, s.Services, doors)
}

// readPostscreen finds out whether postscreen asks csmail's socketmap, and does what it answers (postscreen_blacklist_action before 3.6). Without that door
// nothing is said of postscreen: the smtpd behind it asks.
func (r *Report) readPostscreen(p postfix, services string, doors Doors) {
	if len(doors.Socketmap) == 0 {
		return
	}
	for _, service := range programs(services, "postscreen") {
		list, _ := p.value(service.name, "postscreen_access_list")
		table := ""
		for _, word := range split(p.expand(service.name, list, 0)) {
			place, ok := strings.CutPrefix(word, "socketmap:inet:")
			if i := strings.LastIndexByte(place, ':'); ok && i > 0 && samePort(place[:i], doors.Socketmap) {
				table = word
			}
		}
		name := "postscreen " + service.name
		r.Services = append(r.Services, Service{Name: name, Asks: table != "", Table: table})
		action, _ := p.value(service.name, "postscreen_denylist_action")
		if action == "" {
			action, _ = p.value(service.name, "postscreen_blacklist_action")
		}
		if table != "" && action != "drop" && action != "enforce" {
			r.add(name, "postconf -e postscreen_denylist_action=drop && postfix reload", "postscreen asks csmail and lets everybody in all the same (postscreen_denylist_action)")
		}
	}
}

// smtpds finds the services whose program is smtpd.
func smtpds(text string) (found []smtpd) { return programs(text, "smtpd") }

// programs finds the services of a program, in the columns of master(5).
func programs(text, program string) (found []smtpd) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 8 && f[7] == program {
			found = append(found, smtpd{name: f[0] + "/" + f[1], chroot: f[4] == "y"})
		}
	}
	return found
}

// value is a setting as the service sees it, unexpanded, and whether master.cf sets it.
func (p postfix) value(service, name string) (value string, override bool) {
	if v, ok := p.overrides[service+"/"+name]; ok {
		return v, true
	}
	return p.main[name], false
}

// questions finds each check_policy_service of a service. Restriction classes and access tables are not followed.
func (p postfix) questions(service string) (found []question) {
	for _, list := range restrictions {
		raw, _ := p.value(service, list)
		words := split(p.expand(service, raw, 0))
		for i := 0; i+1 < len(words); i++ {
			if words[i] == "check_policy_service" {
				found = append(found, parseQuestion(list, words[i+1]))
			}
		}
	}
	return found
}

// parseQuestion reads "unix:path", or since Postfix 3.0 "{ unix:path, name=value, ... }".
func parseQuestion(list, word string) question {
	q := question{list: list, word: word, place: word, attrs: map[string]string{}}
	inner, ok := strings.CutPrefix(word, "{")
	if !ok {
		return q
	}
	q.place = ""
	for _, part := range split(strings.TrimSuffix(inner, "}")) {
		if q.place == "" {
			q.place = part
			continue
		}
		part = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(part, "{"), "}"))
		name, value, _ := strings.Cut(part, "=")
		q.attrs[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return q
}

// split cuts a list at blanks and commas outside of braces.
func split(list string) (words []string) {
	depth, start := 0, -1
	for i := 0; i <= len(list); i++ {
		end := i == len(list) || (depth == 0 && strings.IndexByte(" \t\r\n,", list[i]) >= 0)
		if end {
			if start >= 0 {
				words = append(words, list[start:i])
			}
			start = -1
			continue
		}
		if start < 0 {
			start = i
		}
		switch list[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
	}
	return words
}

// expand puts in the values of $name, ${name} and $(name). A value that names itself ends after eight rounds.
func (p postfix) expand(service, value string, depth int) string {
	before, rest, ok := strings.Cut(value, "$")
	if !ok || depth > 8 {
		return value
	}
	name := strings.TrimLeft(rest, "{(")
	end := strings.IndexFunc(name, func(c rune) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
	if end < 0 {
		end = len(name)
	}
	after := name[end:]
	if opened := len(rest) - len(name); opened > 0 && len(after) > 0 {
		after = after[1:]
	}
	inner, _ := p.value(service, name[:end])
	return before + p.expand(service, inner, depth+1) + p.expand(service, after, depth+1)
}

// isOurs reports whether place is where csmail listens, or would be if the service were not in a chroot.
func (p postfix) isOurs(place string, doors []string) bool {
	if file, ok := strings.CutPrefix(place, "unix:"); ok {
		for _, door := range doors {
			if door = strings.TrimPrefix(door, "unix:"); door == file || door == p.inQueue(file) {
				return true
			}
		}
		return false
	}
	return samePort(place, doors)
}

func (p postfix) inQueue(file string) string {
	folder := p.main["queue_directory"]
	if folder == "" {
		folder = "/var/spool/postfix"
	}
	return path.Join(folder, file)
}

// judge finds settings with which a dead csmail would close the service, and sockets that
// the service cannot reach.
func (r *Report) judge(p postfix, service smtpd, q question) {
	fallback, _ := p.value(service.name, "smtpd_policy_service_default_action")
	action, inline := q.attrs["default_action"]
	if !inline {
		action = fallback
	}
	if word, _, _ := strings.Cut(action, " "); !strings.EqualFold(word, "DUNNO") {
		if action == "" {
			action = "451 4.3.5 Server configuration problem" // Postfix's default
		}
		r.add(service.name, p.mend(service.name, q), "while csmail is dead everybody is answered %q (%s)", action, q.list)
	}
	if file, ok := strings.CutPrefix(q.place, "unix:"); ok && service.chroot && strings.HasPrefix(file, "/") {
		r.add(service.name, "install -d -o csmail -g postfix -m 0710 "+quote(p.inQueue("csmail"))+
			", then unix:csmail/policy.sock in "+q.list+" and enforce.policy.listen: [unix:"+p.inQueue("csmail/policy.sock")+"]",
			"the service runs in a chroot and cannot see %s: nobody is refused", file)
	}
}

// mend returns the command after which the service continues without csmail. postconf -P
// takes no value with blanks (Postfix 3.7), so for a service with lists of its own it
// sets the default of the service, which also holds for its other policy services.
func (p postfix) mend(service string, q question) string {
	raw, override := p.value(service, q.list)
	if _, inline := q.attrs["default_action"]; inline {
		return "edit " + q.list + ": default_action=DUNNO in " + q.word + ", then postfix reload"
	}
	if override || !strings.Contains(raw, q.word) {
		return "postconf -P " + quote(service+"/smtpd_policy_service_default_action=DUNNO") + " && postfix reload"
	}
	with := "{ " + q.place + ", default_action=DUNNO }"
	if inner, ok := strings.CutSuffix(q.word, "}"); ok {
		with = strings.TrimRight(inner, " ") + ", default_action=DUNNO }"
	}
	return "postconf -e " + quote(q.list+"="+strings.Replace(raw, q.word, with, 1)) + " && postfix reload"
}
