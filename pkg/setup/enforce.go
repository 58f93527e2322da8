package setup

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
	"regexp"
	"slices"
	"strings"

	"csmail/pkg/enforce/wiring"
	"csmail/pkg/hint"
)

// Doors is where csmail listens for Postfix and Dovecot, and the key that Dovecot must
// send, "" for none.
type Doors struct {
	wiring.Doors
	AuthPolicyKey string
}

// keyWord stands for the bouncer's key until cscli has made it.
const keyWord = "KEY-THAT-CSCLI-PRINTS"

// bouncer gives csmail a key to follow the LAPI's decisions. The key goes into
// csmail.yaml.local.
func (p *planner) bouncer() error {
	if !p.options.Enforce {
		return nil
	}
	if has, err := p.hasBouncer(); err != nil || has {
		return err
	}
	key := p.options.BouncerKey
	if key == "" {
		if !p.host.Has("cscli") {
			return hint.Wrap(errors.New("there is no cscli on this host, so csmail gets no bouncer key"),
				"on the LAPI's host: sudo cscli bouncers add csmail; then here: csmail setup --enforce --bouncer-key KEY")
		}
		key = keyWord
	}
	p.local.set("bouncer", "api_key", key)
	p.local.secret = p.local.secret || key != keyWord
	s, err := p.writeLocal()
	if err != nil {
		return err
	}
	s.Title, s.Why = "make csmail a bouncer", "With a key of its own it follows the decisions of the Local API. "+s.Why
	s.Enforce, s.Whole = true, true
	if key == keyWord {
		s.Do = append([]Action{{Run: []string{"cscli", "bouncers", "add", serviceUser, "-o", "raw"}, Fill: keyWord}}, s.Do...)
		s.Undo = append(s.Undo, Action{Run: []string{"cscli", "bouncers", "delete", serviceUser}, Optional: true})
	}
	if p.host.Has("systemctl") {
		s.Undo = append(s.Undo, Action{Run: []string{"systemctl", "try-restart", "csmail.service"}, Optional: true})
	}
	p.add(s)
	return nil
}

// hasBouncer reports whether the configuration has a key or a certificate of a bouncer.
func (p *planner) hasBouncer() (bool, error) {
	text, err := p.host.ReadFile("/etc/csmail/csmail.yaml")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("reading the configuration: %w", err)
	}
	main, err := readLocal(text, err == nil)
	if err != nil {
		return false, err
	}
	for _, file := range []localFile{main, p.local} {
		if file.has("bouncer", "api_key") || file.has("bouncer", "cert_path") || file.has("lapi", "bouncer_key") {
			return true, nil
		}
	}
	return false, nil
}

// enforcement has Postfix and Dovecot ask csmail. It comes after csmail listens, so that
// the mail servers never ask a door that is not open yet.
func (p *planner) enforcement() error {
	if !p.options.Enforce {
		return nil
	}
	if err := p.postfixDoor(); err != nil {
		return err
	}
	return p.dovecotDoor()
}

// postfixDoor adds csmail's policy service to the client restrictions: those of main.cf,
// for every service that has none of its own, and for each other service a setting of
// main.cf that its line in master.cf then names. (postconf -P takes no blanks in a value,
// Postfix 3.7.) The rest of the lists stays behind it in its order, so only csmail's
// refusals are new. smtpd_delay_reject stays.
func (p *planner) postfixDoor() error {
	place := policyPlace(p.options.Doors.Policy)
	if place == "" || !p.host.Has("postconf") {
		return nil
	}
	if _, err := p.host.ReadFile("/etc/postfix/main.cf"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	settings, err := p.askPostfix()
	if err != nil {
		return err
	}
	changes := postfixChanges(settings, p.options.Doors.Doors, place)
	if len(changes) == 0 {
		return nil
	}
	s := Step{
		Title: "let Postfix ask csmail",
		Why:   "Each client with a decision is refused. While csmail is dead, default_action=DUNNO lets everybody in.",
		Saves: []string{"/etc/postfix/main.cf", "/etc/postfix/master.cf"},
		Whole: true, Enforce: true,
	}
	for _, c := range changes {
		s.Do = append(s.Do, Action{Run: []string{"postconf", c.option, c.name + "=" + c.value}})
		if c.word != "" {
			s.Instead = append(s.Instead, Action{Forget: c.name, Word: c.word})
		}
	}
	reload := Action{Run: []string{"postfix", "reload"}, Optional: true} // it may not run yet
	s.Do = append(s.Do, Action{Run: []string{"postfix", "check"}}, reload)
	s.Undo = []Action{reload}
	p.add(s)
	return nil
}

// askPostfix reads Postfix's settings. Without "{ }" in restrictions (before 3.0) there is
// no way to let mail in while csmail is dead.
func (p *planner) askPostfix() (wiring.Settings, error) {
	var s wiring.Settings
	version, err := p.host.Run(p.ctx, "postconf", "-h", "mail_version")
	if err != nil {
		return s, fmt.Errorf("asking postconf: %w", err)
	}
	if major, _, _ := strings.Cut(strings.TrimSpace(version), "."); major == "2" || major == "1" {
		return s, hint.Wrap(fmt.Errorf("the installed Postfix %s cannot go on without a policy service that is dead", strings.TrimSpace(version)), "Postfix 3.0 or newer can; without --enforce csmail is set up all the same")
	}
	for _, ask := range []struct {
		to     *string
		option string
	}{{&s.Main, "-n"}, {&s.Services, "-M"}, {&s.Overrides, "-P"}} {
		if *ask.to, err = p.host.Run(p.ctx, "postconf", ask.option); err != nil {
			return s, fmt.Errorf("asking postconf %s: %w", ask.option, err)
		}
	}
	return s, nil
}

// postfixChange is one call of postconf.
type postfixChange struct {
	option, name, value string
	word                string // csmail's part of a setting of main.cf
}

// postfixChanges returns the changes after which every service of smtpd that accepts
// strangers asks csmail.
func postfixChanges(s wiring.Settings, doors wiring.Doors, place string) (changes []postfixChange) {
	main, overrides := wiring.Values(s.Main), wiring.Values(s.Overrides)
	const list = "smtpd_client_restrictions"
	isMainDone := false
	for _, service := range wiring.Read(s, doors).Services {
		if service.Asks || isLoopback(service.Name) || service.Name == "dovecot" {
			continue
		}
		own, hasOwn := overrides[service.Name+"/"+list]
		if !hasOwn {
			if !isMainDone {
				word := question(place, "mx")
				changes = append(changes, postfixChange{"-e", list, withQuestion(main[list], word), word})
				isMainDone = true
			}
			continue
		}
		word := question(place, "submission")
		macro := "csmail_" + strings.Trim(notName.ReplaceAllString(service.Name, "_"), "_") + "_restrictions"
		changes = append(changes,
			postfixChange{"-e", macro, withQuestion(own, word), word},
			postfixChange{option: "-P", name: service.Name + "/" + list, value: "$" + macro})
	}
	return changes
}

// notName are the characters that the name of a setting cannot have.
var notName = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// question is the restriction that asks csmail and fails open (docs/enforcement.md).
func question(place, policyContext string) string {
	return "check_policy_service { " + place + ", timeout=2s, try_limit=1, default_action=DUNNO, policy_context=" + policyContext + " }"
}

// withQuestion puts the question in front of a list of restrictions, but behind
// permit_mynetworks where that is the first.
func withQuestion(list, word string) string {
	list = strings.TrimSpace(list)
	if list == "" {
		return "permit_mynetworks, " + word
	}
	if rest, ok := strings.CutPrefix(list, "permit_mynetworks"); ok && (rest == "" || strings.ContainsAny(rest[:1], ", \t")) {
		rest = strings.TrimLeft(rest, ", \t")
		return strings.TrimSuffix("permit_mynetworks, "+word+", "+rest, ", ")
	}
	return word + ", " + list
}

// withoutQuestion takes the question out of a list again.
func withoutQuestion(list, word string) string {
	before, after, _ := strings.Cut(list, word)
	before, after = strings.TrimRight(before, ", \t"), strings.TrimLeft(after, ", \t")
	if before == "" || after == "" {
		return before + after
	}
	return before + ", " + after
}

// policyPlace is how Postfix names the first place where csmail listens; "" if there is
// none that Postfix reaches.
func policyPlace(listen []string) string {
	for _, place := range listen {
		if file, isUnix := strings.CutPrefix(place, "unix:"); isUnix || strings.HasPrefix(place, "/") {
			if !strings.HasPrefix(file, queueFolder) {
				continue // out of reach of a chroot
			}
			return "unix:" + strings.TrimPrefix(path.Clean(file), queueFolder)
		}
		return "inet:" + reachable(place)
	}
	return ""
}

const queueFolder = "/var/spool/postfix/"

// reachable returns the address for a program on this host to reach a listener.
func reachable(place string) string {
	host, port, err := net.SplitHostPort(place)
	if err != nil {
		return place
	}
	switch host {
	case "", "0.0.0.0", "::":
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// isLoopback reports whether a service of master.cf listens on a loopback address alone,
// as the way back from a content filter does: "127.0.0.1:10025/inet".
func isLoopback(service string) bool {
	host, _, err := net.SplitHostPort(strings.TrimSuffix(service, "/inet"))
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

const (
	dovecotMain = "/etc/dovecot/dovecot.conf"
	dovecotDoor = "/etc/dovecot/conf.d/90-csmail.conf"
)

// includesFolder matches the line that makes dovecot.conf read its folder conf.d.
var includesFolder = regexp.MustCompile(`(?m)^\s*!include(_try)?\s+(/etc/dovecot/)?conf\.d/\*\.conf\s*$`)

// dovecotDoor makes Dovecot ask csmail by its auth policy, in a file of its own.
func (p *planner) dovecotDoor() error {
	if len(p.options.Doors.AuthPolicy) == 0 || !p.host.Has("doveconf") {
		return nil
	}
	main, err := p.host.ReadFile(dovecotMain)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	settings, asked := p.host.Run(p.ctx, "doveconf", "-n")
	if err = errors.Join(err, asked); err != nil {
		return fmt.Errorf("reading Dovecot's configuration: %w", err)
	}
	services := wiring.Read(wiring.Settings{Dovecot: settings}, p.options.Doors.Doors).Services
	if slices.ContainsFunc(services, func(s wiring.Service) bool { return s.Asks }) {
		return nil
	}
	if other := wiring.Values(settings)["auth_policy_server_url"]; other != "" {
		return hint.Wrap(fmt.Errorf("another policy server, %s, is asked by Dovecot, which takes one alone", other), "which is it to be? Without auth_policy_server_url csmail setup --enforce sets csmail's; enforce.auth_policy.listen: [] closes csmail's door")
	}
	if !includesFolder.Match(main) {
		return hint.Wrap(fmt.Errorf("%s does not include conf.d/*.conf", dovecotMain), "docs/enforcement.md has the lines to add by hand; enforce.auth_policy.listen: [] leaves Dovecot alone")
	}
	text := dovecotText(settings, p.options.Doors)
	reload := Action{Run: []string{"doveadm", "reload"}, Optional: true} // it may not run yet
	p.add(Step{
		Title: "let Dovecot ask csmail",
		Why:   "Each login of a client with a decision is refused: IMAP, POP3, and SMTP AUTH by Dovecot. While csmail is dead, everybody can log in.",
		Do:    []Action{{Write: dovecotDoor, Content: text, Mode: 0o644, Owner: "root:root"}, {Run: []string{"doveconf", "-n"}}, reload},
		Undo:  []Action{{Remove: dovecotDoor, Wrote: text}, reload},
		Whole: true, Enforce: true,
	})
	return nil
}

// dovecotText returns the file for Dovecot 2.3 or 2.4, by the version in the first line
// of doveconf -n. Reports stay off: with them Dovecot 2.3 may let no user log in while
// csmail hangs (docs/enforcement.md).
func dovecotText(settings string, d Doors) string {
	nonce := make([]byte, 16)
	rand.Read(nonce) // it never fails (crypto/rand)
	text := "# csmail setup wrote this file; csmail setup --undo removes it.\n" +
		"auth_policy_server_url = http://" + reachable(d.AuthPolicy[0]) + "/\n" +
		"auth_policy_hash_nonce = " + hex.EncodeToString(nonce) + "\n" +
		"auth_policy_check_after_auth = no\n" +
		"auth_policy_report_after_auth = no\n"
	if wiring.Values(settings)["auth_verbose"] != "yes" {
		// Without it the log does not say that a login was refused by csmail.
		text += "auth_verbose = yes\n"
	}
	if d.AuthPolicyKey != "" {
		text += "auth_policy_server_api_header = X-Csmail-Key: " + d.AuthPolicyKey + "\n"
	}
	if strings.HasPrefix(settings, "# 2.3.") || strings.HasPrefix(settings, "# 2.2.") {
		return text + "auth_policy_server_timeout_msecs = 500\n" +
			"auth_policy_request_attributes = " + wiring.DovecotAttributes + "\n"
	}
	return text + "auth_policy {\n  http_client_request_absolute_timeout = 500ms\n" +
		"  # With more, Dovecot 2.4.1 may leave a csmail that was killed alone for hours.\n" +
		"  http_client_max_parallel_connections = 1\n" +
		"  request_attributes {\n    mech = %{mechanism}\n  }\n}\n"
}
