package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/hint"
)

// fakeHost is a host in memory. Commands that change something are in ran;
// answers has what a query prints, and a query without an answer fails.
type fakeHost struct {
	files    map[string]string
	answers  map[string]string
	programs []string
	dirs     []string
	ran      []string
	failing  string // a command that fails
}

// freshDebian is a host on which the package was just installed beside CrowdSec.
func freshDebian() *fakeHost {
	return &fakeHost{
		files: map[string]string{"/etc/csmail/csmail.yaml": ""},
		answers: map[string]string{
			"getent passwd csmail": "csmail", "getent group adm": "adm", "getent group systemd-journal": "systemd-journal", "id -nG csmail": "csmail systemd-journal adm",
			"cscli collections list -o json": `{"collections": [{"name": "crowdsecurity/linux"}, {"name": "crowdsecurity/postfix"}, {"name": "crowdsecurity/dovecot"}]}`,
		},
		programs: []string{"cscli", "systemctl"}, dirs: []string{"/etc/csmail", "/run/systemd/system"},
	}
}

func (h *fakeHost) Run(_ context.Context, name string, args ...string) (string, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	if answer, known := h.answers[line]; known {
		return answer, nil
	}
	if line == h.failing {
		return "", errors.New("exit status 1: it does not work today")
	}
	switch name {
	case "getent", "id", "stat":
		return "", errors.New("exit status 2")
	case "systemctl":
		if strings.HasPrefix(args[0], "is-") {
			return "", errors.New("exit status 3")
		}
	}
	h.ran = append(h.ran, line)
	h.change(line)
	return "", nil
}

// change is what a command does to the host.
func (h *fakeHost) change(line string) {
	switch {
	case strings.HasPrefix(line, "cscli machines add"):
		h.files[CredentialsPath] = "login: csmail"
	case strings.HasPrefix(line, "cscli collections remove"):
		h.answers["cscli collections list -o json"] = `{"collections": [{"name": "crowdsecurity/linux"}]}`
	case strings.HasPrefix(line, "systemctl enable --now "):
		unit := strings.Fields(line)[3]
		h.answers["systemctl is-enabled --quiet "+unit] = ""
		h.answers["systemctl is-active --quiet "+unit] = ""
	}
}

func (h *fakeHost) Has(name string) bool { return slices.Contains(h.programs, name) }
func (h *fakeHost) IsDir(path string) bool {
	return slices.Contains(h.dirs, path)
}

func (h *fakeHost) ReadFile(path string) ([]byte, error) {
	text, ok := h.files[path]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	}
	return []byte(text), nil
}

func (h *fakeHost) WriteFile(path string, content []byte, _ fs.FileMode, _ string) error {
	h.files[path] = string(content)
	return nil
}

func (h *fakeHost) Unregister(_ context.Context, credentials string) error {
	if h.failing == "unregister" {
		return errors.New("lapi unreachable")
	}
	h.ran = append(h.ran, "unregister "+credentials)
	return nil
}

func (h *fakeHost) Remove(path string) error {
	delete(h.files, path)
	return nil
}

var aDay = Options{Simulate: 24 * time.Hour, Now: time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)}

func plan(t *testing.T, h *fakeHost, o Options) []Step {
	t.Helper()
	steps, err := Plan(t.Context(), h, o)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func titles(steps []Step) []string {
	out := []string{}
	for _, s := range steps {
		out = append(out, s.Title)
	}
	return out
}

func applyAll(t *testing.T, h *fakeHost, o Options) {
	t.Helper()
	for _, s := range plan(t, h, o) {
		if err := Apply(t.Context(), h, s, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPlan(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*fakeHost)
		option func(*Options)
		want   []string
	}{
		"a fresh Debian": {want: []string{
			"write /etc/csmail/csmail.yaml.local", "register at CrowdSec's Local API",
			"remove crowdsecurity/dovecot and crowdsecurity/postfix from the agent", "start csmail", "send the daily report to root",
		}},
		"live, the hub kept": {
			option: func(o *Options) { o.Live, o.KeepHub = true, true },
			want:   []string{"register at CrowdSec's Local API", "start csmail", "send the daily report to root"},
		},
		"installed by make install": {
			change: func(h *fakeHost) {
				delete(h.answers, "getent passwd csmail")
				delete(h.answers, "id -nG csmail")
				delete(h.answers, "cscli collections list -o json")
				h.answers["cscli collections list -o json"] = `{"collections": []}`
			},
			want: []string{
				"make the user csmail", "let csmail read the log", "write /etc/csmail/csmail.yaml.local", "register at CrowdSec's Local API",
				"start csmail", "send the daily report to root",
			},
		},
		"a LAPI elsewhere": {
			change: func(h *fakeHost) { h.programs = []string{"systemctl"} },
			option: func(o *Options) { o.LAPI, o.Token = "http://lapi.example.org:8080", "t0ken" },
			want:   []string{"write /etc/csmail/csmail.yaml.local", "start csmail", "send the daily report to root"},
		},
		"set up live before": {
			change: func(h *fakeHost) { h.files[CredentialsPath] = "login: csmail" },
			want:   []string{"remove crowdsecurity/dovecot and crowdsecurity/postfix from the agent", "start csmail", "send the daily report to root"},
		},
		"ended before the credentials had their rights": {
			change: func(h *fakeHost) {
				h.files[CredentialsPath] = "login: csmail"
				h.answers["stat -c %G %a "+CredentialsPath] = "root 600\n"
				h.answers["cscli collections list -o json"] = `{"collections": []}`
			},
			want: []string{"let csmail read its credentials", "start csmail", "send the daily report to root"},
		},
		"a configuration of the administrator, new": {
			change: func(h *fakeHost) {
				h.files[LocalPath] = "guard: {allow: [192.0.2.1]}\n"
				h.answers["cscli collections list -o json"] = `{"collections": []}`
			},
			want: []string{"write /etc/csmail/csmail.yaml.local", "register at CrowdSec's Local API", "start csmail", "send the daily report to root"},
		},
		"the administrator simulates until a time of his own": {
			change: func(h *fakeHost) {
				h.files[LocalPath] = "lapi: {simulate_until: 2027-01-01T00:00:00Z}\n"
				h.answers["cscli collections list -o json"] = `{"collections": []}`
			},
			want: []string{"register at CrowdSec's Local API", "start csmail", "send the daily report to root"},
		},
		"without systemd": {
			change: func(h *fakeHost) { h.dirs = []string{"/etc/csmail"} },
			want: []string{
				"write /etc/csmail/csmail.yaml.local", "register at CrowdSec's Local API", "remove crowdsecurity/dovecot and crowdsecurity/postfix from the agent",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := freshDebian(), aDay
			if tt.change != nil {
				tt.change(h)
			}
			if tt.option != nil {
				tt.option(&o)
			}
			if got := titles(plan(t, h, o)); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change     func(*fakeHost)
		option     func(*Options)
		want, hint string
	}{
		"not installed": {change: func(h *fakeHost) { h.dirs = nil }, want: "csmail is not installed", hint: "install the package"},
		"no cscli":      {change: func(h *fakeHost) { h.programs = nil }, want: "no cscli on this host", hint: "csmail setup --lapi URL --token TOKEN"},
		"no LAPI named": {option: func(o *Options) { o.Token = "x" }, want: "a token is given, and no LAPI", hint: "--lapi http"},
		"cscli does not work": {change: func(h *fakeHost) {
			delete(h.answers, "cscli collections list -o json")
			h.failing = "cscli collections list -o json"
		}, want: "it does not work today", hint: "as root"},
		"broken configuration": {change: func(h *fakeHost) {
			h.files[LocalPath] = "lapi: [\n"
			h.files["unused"] = ""
		}, option: func(o *Options) { o.LAPI, o.Token = "http://x", "t" }, want: "reading /etc/csmail/csmail.yaml.local", hint: "complete it"},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := freshDebian(), aDay
			if tt.change != nil {
				tt.change(h)
			}
			if tt.option != nil {
				tt.option(&o)
			}
			_, err := Plan(t.Context(), h, o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("got error %v with hint %q, want %q and %q", err, hint.Of(err), tt.want, tt.hint)
			}
		})
	}
}

// Setup twice changes nothing, and undo leaves the host as it was.
func TestTwiceAndUndo(t *testing.T) {
	h := freshDebian()
	applyAll(t, h, aDay)
	if got, want := h.files[LocalPath], "simulate_until: \"2026-11-30T06:00:00Z\""; !strings.Contains(got, want) {
		t.Errorf("got the configuration %q, want it to hold %q", got, want)
	}
	if again := plan(t, h, aDay); len(again) > 0 {
		t.Errorf("a second time would: %q, want nothing", titles(again))
	}
	if err := Undo(t.Context(), h, false, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{CredentialsPath, LocalPath, UndoPath} {
		if _, there := h.files[path]; there {
			t.Errorf("undo left %s", path)
		}
	}
	for _, want := range []string{
		"systemctl disable --now csmail.service", "cscli machines delete csmail", "cscli collections install crowdsecurity/dovecot crowdsecurity/postfix",
	} {
		if !slices.Contains(h.ran, want) {
			t.Errorf("undo did not run %q; it ran %q", want, h.ran)
		}
	}
}

// The same with a token, of which no credentials come before csmail runs.
func TestTwiceWithAToken(t *testing.T) {
	h := freshDebian()
	h.programs = []string{"systemctl"}
	o := aDay
	o.LAPI, o.Token = "http://lapi.example.org:8080", "t0ken"
	applyAll(t, h, o)
	o.Now = o.Now.Add(time.Hour)
	if again := plan(t, h, o); len(again) > 0 {
		t.Errorf("a second time would: %q, want nothing", titles(again))
	}
	if again := plan(t, h, aDay); len(again) > 0 {
		t.Errorf("without the token it would: %q, want nothing", titles(again))
	}
}

// The undo of a setup with a token has the LAPI on the other host forget this machine.
// While that LAPI is away the rest is undone, and a second undo does what is left.
func TestUndoAtALAPIElsewhere(t *testing.T) {
	h, o := freshDebian(), aDay
	h.programs = []string{"systemctl"}
	o.LAPI, o.Token = "http://lapi.example.org:8080", "t0ken"
	applyAll(t, h, o)
	h.files[ownCredentialsPath] = "login: csmail-mx1" // csmail run registered itself
	h.failing = "unregister"
	err := Undo(t.Context(), h, false, func(string, error) {})
	if err == nil || !strings.Contains(err.Error(), "lapi unreachable") || !strings.Contains(hint.Of(err), "csmail setup --undo again") {
		t.Errorf("got error %v (hint %q), want that the LAPI is away", err, hint.Of(err))
	}
	if _, there := h.files[LocalPath]; there || h.files[ownCredentialsPath] == "" {
		t.Errorf("got the files %q, want the configuration gone and the credentials kept for the second time", h.files)
	}
	h.failing = ""
	if err := Undo(t.Context(), h, false, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(h.ran, "unregister "+ownCredentialsPath) || h.files[ownCredentialsPath] != "" || h.files[UndoPath] != "" {
		t.Errorf("got the files %q after %q, want the machine forgotten and nothing left", h.files, h.ran)
	}
}

// A file that setup made and the administrator changed since is not undone.
func TestUndoKeepsWhatWasChanged(t *testing.T) {
	for name, before := range map[string]string{"made by setup": "", "there before": "guard:\n  allow: [192.0.2.1]\n", "comments only": "# nothing yet\n"} {
		t.Run(name, func(t *testing.T) {
			h := freshDebian()
			if before != "" {
				h.files[LocalPath] = before
			}
			applyAll(t, h, aDay)
			if !strings.Contains(h.files[LocalPath], strings.TrimSpace(before)) {
				t.Errorf("setup made %q of %q", h.files[LocalPath], before)
			}
			h.files[LocalPath] += "history: 60d\n"
			changed := h.files[LocalPath]
			var kept []string
			err := Undo(t.Context(), h, false, func(title string, err error) {
				if err != nil {
					kept = append(kept, title+": "+err.Error())
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.files[LocalPath]; got != changed {
				t.Errorf("undo made %q of %q, want it kept", got, changed)
			}
			if len(kept) != 1 || !strings.Contains(kept[0], "stays as it is") {
				t.Errorf("undo reported %q, want that the file stays", kept)
			}
			if _, there := h.files[UndoPath]; there {
				t.Error("the undo file is left, and nothing can be done about it")
			}
		})
	}
}

// What the administrator wrote into csmail.yaml.local stays.
func TestLocalFileIsKept(t *testing.T) {
	h := freshDebian()
	h.files[LocalPath] = "# mine\nguard:\n  allow: [192.0.2.0/24] # office\nlapi:\n  duration: 8h\n"
	applyAll(t, h, Options{LAPI: "http://lapi.example.org:8080", Token: "t0ken", Now: aDay.Now})
	for _, want := range []string{"# mine", "allow: [192.0.2.0/24] # office", "duration: 8h", "url: http://lapi.example.org:8080", "registration_token: t0ken"} {
		if !strings.Contains(h.files[LocalPath], want) {
			t.Errorf("got the configuration %q, want it to hold %q", h.files[LocalPath], want)
		}
	}
	if err := Undo(t.Context(), h, false, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
	if got := h.files[LocalPath]; strings.Contains(got, "t0ken") || !strings.Contains(got, "# office") {
		t.Errorf("undo left %q", got)
	}
}

// A step that fails in the middle is noted for undo, and setup goes on where it
// ended.
func TestFailureInTheMiddle(t *testing.T) {
	h := freshDebian()
	h.failing = "chmod 0640 " + CredentialsPath
	step := plan(t, h, aDay)[1]
	err := Apply(t.Context(), h, step, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "it does not work today") || !strings.Contains(hint.Of(err), "run csmail setup again") {
		t.Fatalf("got error %v with hint %q", err, hint.Of(err))
	}
	h.failing = ""
	if err := Undo(t.Context(), h, false, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
	if _, there := h.files[CredentialsPath]; there {
		t.Error("undo left the credentials")
	}
}

// A command that is only a courtesy may fail.
func TestOptionalActionWarns(t *testing.T) {
	h := freshDebian()
	h.failing = "systemctl reload crowdsec"
	var warnings []string
	err := Apply(t.Context(), h, plan(t, h, aDay)[2], func(text string) { warnings = append(warnings, text) })
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "systemctl reload crowdsec") {
		t.Errorf("got error %v and warnings %q, want one warning", err, warnings)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	h := freshDebian()
	h.programs = []string{"systemctl"}
	for _, s := range plan(t, h, Options{LAPI: "http://lapi.example.org:8080", Token: "t0ken", Now: aDay.Now}) {
		for _, a := range s.Do {
			if strings.Contains(a.String()+strings.Join(a.Lines(), "\n"), "t0ken") {
				t.Errorf("%s shows the token", a)
			}
		}
	}
}
