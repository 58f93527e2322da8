package setup

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"csmail/pkg/enforce/wiring"
	"csmail/pkg/hint"
)

const (
	mainCF   = "/etc/postfix/main.cf"
	masterCF = "/etc/postfix/master.cf"
)

// mailHost is a host with Postfix, Dovecot and CrowdSec. postconf works on its files:
// main.cf holds "name = value", master.cf the lines of postconf -M and, behind them, those
// of postconf -P.
type mailHost struct {
	*fakeHost
	dovecot string // the first line of doveconf -n
}

func newMailHost() *mailHost {
	h := &mailHost{fakeHost: freshDebian(), dovecot: "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n"}
	h.programs = append(h.programs, "postconf", "doveconf")
	h.answers["cscli bouncers add csmail -o raw"] = "s3cret\n"
	h.answers["stat -c %a %U:%G "+mainCF] = "644 root:root\n"
	h.answers["stat -c %a %U:%G "+masterCF] = "644 root:root\n"
	h.answers["postconf -h mail_version"] = "3.7.11\n"
	h.files[mainCF] = "# See /usr/share/postfix/main.cf.dist\nmyhostname = mx1\n"
	h.files[masterCF] = "smtp       inet  n       -       y       -       -       smtpd\npickup     unix  n       -       y       60      1       pickup\n"
	h.files[dovecotMain] = "protocols = imap\n!include conf.d/*.conf\n!include_try local.conf\n"
	return h
}

func (h *mailHost) Run(ctx context.Context, name string, args ...string) (string, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	if answer, known := h.answers[line]; known || line == h.failing {
		if line == h.failing {
			return "", errors.New("exit status 1: it does not work today")
		}
		h.ran = append(h.ran, line)
		return answer, nil
	}
	switch name {
	case "doveconf":
		return h.dovecot + asDoveconfPrints(h.files[dovecotDoor]), nil
	case "postconf":
		return h.postconf(args[0], args[1:]), nil
	}
	return h.fakeHost.Run(ctx, name, args...)
}

func (h *mailHost) postconf(option string, args []string) string {
	switch option {
	case "-n":
		return h.files[mainCF]
	case "-h":
		return wiring.Values(h.files[mainCF])[args[0]] + "\n"
	case "-e":
		h.set(mainCF, args[0])
	case "-P":
		if len(args) > 0 {
			h.set(masterCF, args[0])
		}
		return linesOf(h.files[masterCF], true)
	case "-M":
		return linesOf(h.files[masterCF], false)
	}
	return ""
}

// asDoveconfPrints puts the settings of auth_policy into its block, if there is one, as
// doveconf 2.4 does.
func asDoveconfPrints(text string) string {
	before, block, has := strings.Cut(text, "auth_policy {\n")
	if !has {
		return text
	}
	return "auth_policy {\n" + strings.ReplaceAll(before, "auth_policy_", "  ") + block
}

// set replaces a line "name = value", or adds it.
func (h *mailHost) set(file, assignment string) {
	name, value, _ := strings.Cut(assignment, "=")
	var out []string
	for line := range strings.Lines(h.files[file]) {
		if !strings.HasPrefix(line, name+" = ") {
			out = append(out, line)
		}
	}
	h.files[file] = strings.Join(out, "") + name + " = " + value + "\n"
}

func linesOf(text string, overrides bool) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, " = ") == overrides {
			out.WriteString(line)
		}
	}
	return out.String()
}

func enforcing() Options {
	o := aDay
	o.Enforce = true
	o.Doors = Doors{Doors: wiring.Doors{Policy: []string{"127.0.0.1:10040"}, AuthPolicy: []string{"127.0.0.1:10043"}}}
	return o
}

// setUp plans and applies, and returns the titles of the steps.
func (h *mailHost) setUp(t *testing.T, o Options) []string {
	t.Helper()
	steps, err := Plan(t.Context(), h, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if err := Apply(t.Context(), h, s, func(text string) { t.Errorf("warning %q", text) }); err != nil {
			t.Fatal(err)
		}
	}
	return titles(steps)
}

func (h *mailHost) wired(o Options) wiring.Report {
	main, _ := h.Run(context.Background(), "postconf", "-n")
	services, _ := h.Run(context.Background(), "postconf", "-M")
	overrides, _ := h.Run(context.Background(), "postconf", "-P")
	dovecot, _ := h.Run(context.Background(), "doveconf", "-n")
	return wiring.Read(wiring.Settings{Main: main, Services: services, Overrides: overrides, Dovecot: dovecot}, o.Doors.Doors)
}

func (h *mailHost) undo(t *testing.T) {
	t.Helper()
	if err := Undo(t.Context(), h, false, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
}

// After setup --enforce every service asks csmail and goes on without it; a second time
// changes nothing; undo leaves each file as it was.
func TestEnforce(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*mailHost)
		asks   []string // besides smtp/inet and dovecot
		silent []string
	}{
		"Debian as shipped": {},
		"Dovecot 2.4":       {change: func(h *mailHost) { h.dovecot = "# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\n" }},
		"restrictions of its own": {change: func(h *mailHost) {
			h.files[mainCF] += "smtpd_client_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unknown_client_hostname\n"
		}},
		"submission inherits": {
			change: func(h *mailHost) { h.files[masterCF] += "submission inet n - y - - smtpd\n" },
			asks:   []string{"submission/inet"},
		},
		"submission has its own": {
			change: func(h *mailHost) {
				h.files[masterCF] += "submission inet n - y - - smtpd\nsubmission/inet/smtpd_client_restrictions = permit_sasl_authenticated,reject\n"
			},
			asks: []string{"submission/inet"},
		},
		"the way back from a filter": {
			change: func(h *mailHost) {
				h.files[masterCF] += "127.0.0.1:10025 inet n - y - - smtpd\n127.0.0.1:10025/inet/smtpd_client_restrictions = permit_mynetworks,reject\n"
			},
			silent: []string{"127.0.0.1:10025/inet"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newMailHost()
			if tt.change != nil {
				tt.change(h)
			}
			before := maps.Clone(h.files)
			h.setUp(t, enforcing())
			want := append([]string{"smtp/inet", "dovecot"}, tt.asks...)
			report := h.wired(enforcing())
			for _, s := range report.Services {
				if s.Asks != slices.Contains(want, s.Name) || !s.Asks != slices.Contains(tt.silent, s.Name) {
					t.Errorf("%s: got asks %v, want the services %q to ask and %q not", s.Name, s.Asks, want, tt.silent)
				}
			}
			if len(report.Findings) > 0 {
				t.Errorf("got the findings %+v, want none", report.Findings)
			}
			if again := h.setUp(t, enforcing()); len(again) > 0 {
				t.Errorf("a second time would %q, want nothing", again)
			}
			h.undo(t)
			for _, path := range []string{mainCF, masterCF, dovecotDoor} {
				if h.files[path] != before[path] {
					t.Errorf("undo left %q in %s, want %q", h.files[path], path, before[path])
				}
			}
		})
	}
}

func TestEnforceAddsABouncer(t *testing.T) {
	h := newMailHost()
	steps, err := Plan(t.Context(), h, enforcing())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		for _, a := range s.Do {
			if strings.Contains(a.String()+strings.Join(a.Lines(), "\n"), "s3cret") {
				t.Errorf("%s shows the key", a)
			}
		}
	}
	h.setUp(t, enforcing())
	if got, want := h.files[LocalPath], "api_key: s3cret\n"; !strings.Contains(got, want) {
		t.Errorf("got the configuration %q, want it to hold %q", got, want)
	}
	h.undo(t)
	if _, there := h.files[LocalPath]; there || !slices.Contains(h.ran, "cscli bouncers delete csmail") {
		t.Errorf("undo left the configuration (%v), or did not delete the bouncer: it ran %q", there, h.ran)
	}

	for name, change := range map[string]func(*mailHost, *Options){
		"a key in csmail.yaml":         func(h *mailHost, _ *Options) { h.files["/etc/csmail/csmail.yaml"] = "bouncer: {api_key: k}\n" },
		"a key under its older name":   func(h *mailHost, _ *Options) { h.files[LocalPath] = "lapi: {bouncer_key: k}\n" },
		"a certificate":                func(h *mailHost, _ *Options) { h.files[LocalPath] = "bouncer: {cert_path: /c}\n" },
		"a key of a LAPI on elsewhere": func(_ *mailHost, o *Options) { o.BouncerKey = "k" },
	} {
		h, o := newMailHost(), enforcing()
		change(h, &o)
		h.setUp(t, o)
		if slices.Contains(h.ran, "cscli bouncers add csmail -o raw") {
			t.Errorf("%s: a second key was made", name)
		}
	}
}

// --undo --enforce takes back the doors and the key, and csmail goes on.
func TestUndoOfEnforceAlone(t *testing.T) {
	h := newMailHost()
	h.setUp(t, aDay)
	before := maps.Clone(h.files)
	h.setUp(t, enforcing())
	if err := Undo(t.Context(), h, true, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(h.files, before) {
		t.Errorf("got the files %q, want %q", h.files, before)
	}
	if again := h.setUp(t, aDay); len(again) > 0 {
		t.Errorf("setup would %q, want nothing", again)
	}
	h.undo(t)
	if _, there := h.files[CredentialsPath]; there {
		t.Error("the rest was not undone")
	}
}

// A bouncer of this name that is there already is somebody's, and stays.
func TestBouncerIsThere(t *testing.T) {
	h := newMailHost()
	h.setUp(t, aDay)
	h.failing = "cscli bouncers add csmail -o raw"
	steps, err := Plan(t.Context(), h, enforcing())
	if err != nil || steps[0].Title != "make csmail a bouncer" {
		t.Fatalf("got %q, %v, want the bouncer first", titles(steps), err)
	}
	before := h.files[LocalPath]
	err = Apply(t.Context(), h, steps[0], func(string) {})
	if err == nil || !strings.Contains(hint.Of(err), "--bouncer-key") || h.files[LocalPath] != before {
		t.Errorf("got error %v (hint %q) and the configuration %q, want a hint and nothing written", err, hint.Of(err), h.files[LocalPath])
	}
	h.undo(t)
	if slices.Contains(h.ran, "cscli bouncers delete csmail") {
		t.Error("the bouncer of somebody else was deleted")
	}
}

// The key is not shown where the administrator gives it, either.
func TestBouncerKeyIsNotShown(t *testing.T) {
	h, o := newMailHost(), enforcing()
	o.BouncerKey = "s3cret"
	steps, err := Plan(t.Context(), h, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		for _, a := range s.Do {
			if strings.Contains(a.String()+strings.Join(a.Lines(), "\n"), "s3cret") {
				t.Errorf("%s shows the key", a)
			}
		}
	}
}

// What the administrator changed after setup stays, and csmail's part goes all the same.
func TestUndoTakesOutItsPart(t *testing.T) {
	h := newMailHost()
	h.files[mainCF] += "smtpd_client_restrictions = permit_mynetworks, reject_unknown_client_hostname\n"
	h.files[masterCF] += "submission inet n - y - - smtpd\nsubmission/inet/smtpd_client_restrictions = permit_sasl_authenticated,reject\n"
	h.setUp(t, enforcing())
	h.set(mainCF, "message_size_limit=1")
	value := wiring.Values(h.files[mainCF])["smtpd_client_restrictions"]
	h.set(mainCF, "smtpd_client_restrictions="+value+", permit")
	h.undo(t)
	main := wiring.Values(h.files[mainCF])
	for setting, want := range map[string]string{
		"message_size_limit":                  "1",
		"smtpd_client_restrictions":           "permit_mynetworks, reject_unknown_client_hostname, permit",
		"csmail_submission_inet_restrictions": "permit_sasl_authenticated,reject",
	} {
		if got := main[setting]; got != want {
			t.Errorf("%s: got %q, want %q", setting, got, want)
		}
	}
	for _, s := range h.wired(enforcing()).Services {
		if s.Asks {
			t.Errorf("%s still asks csmail", s.Name)
		}
	}
}

// A step whose check fails is taken back at once: nothing broken is left behind.
func TestEnforceFails(t *testing.T) {
	for name, failing := range map[string]string{"Postfix": "postfix check", "Dovecot": "doveadm reload!"} {
		t.Run(name, func(t *testing.T) {
			h := newMailHost()
			before := maps.Clone(h.files)
			steps, err := Plan(t.Context(), h, enforcing())
			if err != nil {
				t.Fatal(err)
			}
			h.failing = failing
			for _, s := range steps {
				if name == "Dovecot" && s.Title == "let Dovecot ask csmail" {
					h.failing = "doveconf -n"
				}
				if err = Apply(t.Context(), h, s, func(string) {}); err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), "let "+name+" ask csmail") || hint.Of(err) == "" {
				t.Fatalf("got error %v (hint %q), want the step of %s to fail", err, hint.Of(err), name)
			}
			for path, text := range map[string]string{mainCF: before[mainCF], masterCF: before[masterCF]} {
				if name == "Postfix" && h.files[path] != text {
					t.Errorf("%s was left as %q, want %q", path, h.files[path], text)
				}
			}
			if _, there := h.files[dovecotDoor]; there {
				t.Errorf("%s was left", dovecotDoor)
			}
		})
	}
}

func TestEnforceRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change     func(*mailHost)
		want, hint string
	}{
		"an old Postfix":       {func(h *mailHost) { h.answers["postconf -h mail_version"] = "2.10.1\n" }, "Postfix 2.10.1", "Postfix 3.0"},
		"weakforced is asked":  {func(h *mailHost) { h.dovecot += "auth_policy_server_url = http://127.0.0.1:8084/\n" }, "another policy server, http://127.0.0.1:8084/", "enforce.auth_policy.listen"},
		"no folder is read":    {func(h *mailHost) { h.files[dovecotMain] = "# !include conf.d/*.conf\n" }, "does not include conf.d", "docs/enforcement.md"},
		"no cscli for the key": {func(h *mailHost) { h.programs = []string{"postconf"}; h.files[CredentialsPath] = "login: csmail" }, "gets no bouncer key", "--bouncer-key KEY"},
	} {
		h := newMailHost()
		tt.change(h)
		_, err := Plan(t.Context(), h, enforcing())
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), tt.hint) {
			t.Errorf("%s: got %v (hint %q), want %q and %q", name, err, hint.Of(err), tt.want, tt.hint)
		}
	}
}

func TestQuestionInAList(t *testing.T) {
	const word = "check_policy_service { inet:127.0.0.1:10040, default_action=DUNNO }"
	for list, want := range map[string]string{
		"":                                    "permit_mynetworks, Q",
		"permit_mynetworks":                   "permit_mynetworks, Q",
		"permit_mynetworks reject_x":          "permit_mynetworks, Q, reject_x",
		"permit_mynetworks,\treject_x, y":     "permit_mynetworks, Q, reject_x, y",
		"permit_mynetworks_too, x":            "Q, permit_mynetworks_too, x",
		"permit_sasl_authenticated,reject":    "Q, permit_sasl_authenticated,reject",
		"check_client_access cidr:/x, permit": "Q, check_client_access cidr:/x, permit",
	} {
		with := withQuestion(list, word)
		if got := strings.Replace(with, word, "Q", 1); got != want {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
		if back := strings.NewReplacer(",", " ", "\t", " ").Replace(withoutQuestion(with, word)); list != "" && strings.Join(strings.Fields(back), " ") != strings.Join(strings.Fields(strings.NewReplacer(",", " ").Replace(list)), " ") {
			t.Errorf("%q: taken out again it is %q", list, back)
		}
	}
}

func TestPolicyPlace(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:10040": "inet:127.0.0.1:10040", "0.0.0.0:10040": "inet:127.0.0.1:10040", ":10040": "inet:127.0.0.1:10040", "[::1]:10040": "inet:[::1]:10040",
		"unix:/var/spool/postfix/csmail/policy.sock": "unix:csmail/policy.sock", "unix:/run/csmail/policy.sock": "",
	} {
		if got := policyPlace([]string{listen}); got != want {
			t.Errorf("%q: got %q, want %q", listen, got, want)
		}
	}
	if got := policyPlace(nil); got != "" {
		t.Errorf("no place: got %q, want none", got)
	}
}

// Dovecot logs that csmail refused a login with auth_verbose alone.
func TestDovecotLogsRefusals(t *testing.T) {
	for settings, want := range map[string]bool{
		"# 2.3.19.1 (9b53102964)\n":                     true,
		"# 2.4.1-4 (7d8c0e5759)\nauth_verbose = no\n":   true,
		"# 2.4.1-4 (7d8c0e5759)\nauth_verbose = yes\n":  false,
		"# 2.3.19.1 (9b53102964)\nauth_verbose = yes\n": false,
	} {
		text := dovecotText(settings, Doors{Doors: wiring.Doors{AuthPolicy: []string{"127.0.0.1:10043"}}})
		if got := strings.Contains(text, "auth_verbose = yes\n"); got != want {
			t.Errorf("%q: got auth_verbose set %t, want %t", settings, got, want)
		}
	}
}
