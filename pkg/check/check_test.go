package check

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
	"csmail/pkg/host"
	"csmail/pkg/scenario"
)

var now = time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)

// fakeDaemon answers with its status, or with an error.
type fakeDaemon struct {
	status control.Status
	err    error
}

func (d *fakeDaemon) Status(context.Context) (control.Status, error) { return d.status, d.err }

// fakePrograms holds what each command line prints.
type fakePrograms map[string]string

func (p fakePrograms) Run(_ context.Context, name string, args ...string) (string, error) {
	out, ok := p[strings.Join(append([]string{name}, args...), " ")]
	if !ok {
		return "", errors.New("exit status 1")
	}
	return out, nil
}

func (p fakePrograms) Has(name string) bool {
	for line := range p {
		if strings.HasPrefix(line, name+" ") {
			return true
		}
	}
	return false
}

// fakeFiles are files by their paths.
type fakeFiles struct {
	files map[string]File
	free  uint64
}

func (f *fakeFiles) Stat(path string) (File, error) {
	info, ok := f.files[path]
	if !ok {
		return File{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	return info, nil
}

func (f *fakeFiles) Free(string) (uint64, error) { return f.free, nil }

// world is a host on which all is well; a test breaks one thing.
type world struct {
	Inputs
	daemon   *fakeDaemon
	programs fakePrograms
	files    *fakeFiles
	mail     host.MailSettings
	logs     []error
	lapi     error
	ahead    time.Duration
	key      error
	loading  error
}

func recorded(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goodHost follows the journal and enforces inside Postfix 3.7 and Dovecot 2.3.
func goodHost(t *testing.T) *world {
	w := &world{
		daemon: &fakeDaemon{status: control.Status{
			Version: "1.0", Started: now.Add(-time.Hour),
			Sources: []control.Source{{Name: "journal", State: "following", LastLine: now.Add(-time.Minute)}},
			State:   control.StateStatus{Path: "/var/lib/csmail/csmail.db", Bytes: 1 << 20},
			Enforcement: &control.Enforcement{Decisions: 3, LastPull: now.Add(-5 * time.Second), Doors: []control.Door{
				{Name: "policy", Places: []string{"127.0.0.1:10040"}}, {Name: "auth-policy", Places: []string{"127.0.0.1:10043"}},
			}},
		}},
		programs: fakePrograms{
			"cscli collections list -o json": `{"collections": [{"name": "crowdsecurity/linux", "status": "enabled"}]}`,
			"cscli scenarios list -o json":   `{"scenarios": [{"name": "crowdsecurity/ssh-bf", "status": "enabled"}]}`,
			"cscli bouncers list -o json":    "[]",
			"timedatectl show":               "Timezone=Etc/UTC\nCanNTP=yes\nNTP=yes\nNTPSynchronized=yes\n",
		},
		files: &fakeFiles{free: 10 << 30, files: map[string]File{
			"/var/lib/csmail":                   {Mode: fs.ModeDir | 0o750, Owner: "csmail", Group: "csmail"},
			"/var/lib/csmail/csmail.db":         {Mode: 0o600, Owner: "csmail", Group: "csmail"},
			"/etc/csmail/csmail.yaml":           {Mode: 0o640, Owner: "root", Group: "csmail"},
			"/etc/csmail/csmail.yaml.local":     {Mode: 0o640, Owner: "root", Group: "csmail"},
			"/etc/csmail/lapi_credentials.yaml": {Mode: 0o640, Owner: "root", Group: "csmail"},
			"/usr/bin/csmail":                   {Mode: 0o755, Owner: "root", Group: "root"},
		}},
		mail: host.MailSettings{
			Main: recorded(t, "postfix-3.7.main"), Services: recorded(t, "postfix-3.7.master"), Overrides: recorded(t, "postfix-3.7.overrides"),
			Dovecot: recorded(t, "dovecot-2.3"),
		},
	}
	w.Inputs = Inputs{
		Config: config.Default(), Version: "1.0", Now: func() time.Time { return now },
		Logs: func(context.Context) []error { return w.logs },
		LAPI: func(context.Context) (string, time.Duration, error) {
			return "csmail at http://127.0.0.1:8080/", w.ahead, w.lapi
		},
		Key:       func(context.Context) error { return w.key },
		Scenarios: func() (*scenario.Set, error) { return loadScenario(w.loading) },
		Mail:      func(context.Context) (host.MailSettings, error) { return w.mail, nil },
		Daemon:    w.daemon, Programs: w.programs, Files: w.files,
	}
	w.Config.Bouncer.APIKey = "key"
	return w
}

func loadScenario(bad error) (*scenario.Set, error) {
	if bad != nil {
		return nil, bad
	}
	return scenario.Load(os.DirFS("testdata"), "scenario.yaml")
}

func byName(results []Result) map[string]Result {
	all := map[string]Result{}
	for _, r := range results {
		all[r.Name] = r
	}
	return all
}

func TestAllIsWell(t *testing.T) {
	results := Run(t.Context(), Probes(goodHost(t).Inputs))
	if got := len(results); got != 12 {
		t.Errorf("got %d results, want 12", got)
	}
	for _, r := range results {
		if r.Level != OK || r.Text == "" || len(r.Findings) > 0 {
			t.Errorf("%s: got %s, %q, %+v, want ok, a text and no findings", r.Name, r.Level, r.Text, r.Findings)
		}
	}
}

// broken are what can go wrong: what a test breaks, at which probe it shows, and how.
var broken = map[string]struct {
	change  func(*world)
	probe   string
	level   Level
	problem string // a part of it
	mend    string // a part of it
}{
	"csmail run is dead": {func(w *world) { w.daemon.err = control.ErrNotRunning }, "service", Critical, "not running", "systemctl enable --now csmail"},
	"no right to ask":    {func(w *world) { w.daemon.err = hint.Wrap(errors.New("permission denied"), "sudo") }, "service", Critical, "permission denied", "sudo"},
	"all clients are a proxy": {
		func(w *world) { w.daemon.status.Gateway = &control.Gateway{Addr: "10.0.0.5", Percent: 97} }, "logs", Warning,
		"97 % of the connections in the log come from 10.0.0.5", "guard.relays: [10.0.0.5]",
	},
	"csmail run is unwell":      {func(w *world) { w.daemon.status.Troubles = []string{"journal is not read"} }, "service", Critical, "journal is not read", "csmail status"},
	"a reload was refused":      {func(w *world) { w.daemon.status.Reload = "line 3" }, "service", Warning, "line 3", "csmail run -t"},
	"an old csmail runs":        {func(w *world) { w.daemon.status.Version = "0.9" }, "service", Warning, "0.9 runs", "restart csmail"},
	"alerts are parked":         {func(w *world) { w.daemon.status.Outbox.Parked = 2 }, "service", Warning, "2 alerts", "outbox list"},
	"a log cannot be read":      {func(w *world) { w.logs = []error{hint.Wrap(errors.New("no entry"), "name the file")} }, "logs", Critical, "no entry", "name the file"},
	"the daemon cannot read it": {func(w *world) { w.daemon.status.Sources[0].Error = "denied" }, "logs", Critical, "journal: denied", ""},
	"the LAPI is away":          {func(w *world) { w.lapi = hint.Wrap(errors.New("lapi unreachable"), "systemctl status crowdsec") }, "lapi", Critical, "unreachable", "systemctl status crowdsec"},
	"only simulated":            {func(w *world) { w.Config.LAPI.SimulateUntil = "2026-11-30T09:00:00Z" }, "lapi", Note, "until 2026-11-30", "simulate_until"},
	"always simulated":          {func(w *world) { w.Config.LAPI.Simulate = true }, "lapi", Note, "only simulated", "lapi.simulate "},
	"the hub's collection":      {func(w *world) { w.programs["cscli collections list -o json"] = recordedCollections }, "agent", Warning, "crowdsecurity/postfix", "cscli collections remove crowdsecurity/postfix"},
	"a lone scenario of the hub": {func(w *world) {
		w.programs["cscli scenarios list -o json"] = `{"scenarios": [{"name": "Guezli/postfix-sasl-bf"}]}`
	}, "agent", Warning, "Guezli/postfix-sasl-bf", "cscli scenarios remove Guezli/postfix-sasl-bf"},
	"csmail's in the agent too": {func(w *world) {
		w.programs["cscli scenarios list -o json"] = `{"scenarios": [{"name": "csmail/auth-bf"}]}`
	}, "agent", Warning, "csmail/auth-bf", "cscli scenarios remove csmail/auth-bf"},
	"cscli fails":          {func(w *world) { delete(w.programs, "cscli collections list -o json") }, "agent", Warning, "asking cscli", "as root"},
	"cscli prints no JSON": {func(w *world) { w.programs["cscli collections list -o json"] = "oops" }, "agent", Warning, "reading cscli's list", "as root"},
	"the key is revoked": {func(w *world) {
		w.key = hint.Wrap(errors.New("lapi refused our bouncer key"), "cscli bouncers add csmail")
	}, "bouncer", Critical, "refused", "cscli bouncers add"},
	"no pull for long":             {func(w *world) { w.daemon.status.Enforcement.LastPull = now.Add(-5 * time.Minute) }, "bouncer", Critical, "has not asked the LAPI", "journalctl -u csmail"},
	"never a pull":                 {func(w *world) { w.daemon.status.Enforcement.LastPull = time.Time{} }, "bouncer", Critical, "has not asked the LAPI", "journalctl -u csmail"},
	"the daemon's poll fails":      {func(w *world) { w.daemon.status.Enforcement.Error = "http status 403" }, "bouncer", Critical, "403", ""},
	"a key, and no enforcement":    {func(w *world) { w.daemon.status.Enforcement = nil }, "bouncer", Critical, "follows no decisions", "restart csmail"},
	"a dry run":                    {func(w *world) { w.daemon.status.Enforcement.DryRun = true }, "bouncer", Note, "dry run", "dry_run"},
	"no room for decisions":        {func(w *world) { w.daemon.status.Enforcement.LeftOut = 7 }, "bouncer", Warning, "7 decisions", "max_decisions"},
	"no bouncer at all":            {func(w *world) { w.Config.Bouncer.APIKey = "" }, "bouncer", Warning, "no bouncer is there", "csmail setup --enforce"},
	"a bouncer that never asked":   {func(w *world) { w.otherBouncer(recordedBouncers) }, "bouncer", Warning, "csmail@mx1", "cscli bouncers list"},
	"a bouncer that was revoked":   {func(w *world) { w.otherBouncer(`[{"name":"fw","revoked":true,"last_pull":"2026-11-29T08:59:50Z"}]`) }, "bouncer", Warning, "fw", ""},
	"no default_action":            {func(w *world) { w.mail.Main = withoutDunno(w.mail.Main) }, "doors", Critical, "while csmail is dead everybody is answered", "default_action=DUNNO"},
	"a door does less than it can": {func(w *world) { w.mail.Dovecot = strings.Replace(w.mail.Dovecot, " mech=%{mech}", "", 1) }, "doors", Warning, "mech", "mech=%{mech}"},
	"nothing asks": {func(w *world) {
		w.mail.Main, w.mail.Overrides, w.mail.Dovecot = "compatibility_level = 3.6\n", "", "# 2.3.19.1\n"
	}, "doors", Warning, "neither Postfix nor Dovecot asks", "csmail setup --enforce"},
	"one service does not ask":   {func(w *world) { w.mail.Dovecot = "# 2.3.19.1\nauth_verbose = yes\n" }, "doors", Note, "do not ask csmail: dovecot", "docs/enforcement.md"},
	"asked without a key":        {func(w *world) { w.Config.Bouncer.APIKey = "" }, "doors", Warning, "no bouncer key", "csmail setup --enforce"},
	"a door that is not open":    {func(w *world) { w.daemon.status.Enforcement.Doors[0].Places = nil }, "doors", Critical, "does not listen at the door policy", "restart csmail"},
	"clocks apart":               {func(w *world) { w.ahead = -90 * time.Second }, "clock", Warning, "1m30s apart", "chronyc"},
	"no time server":             {func(w *world) { w.programs["timedatectl show"] = "CanNTP=yes\nNTP=no\nNTPSynchronized=no\n" }, "clock", Warning, "nothing sets", "set-ntp true"},
	"not synchronized yet":       {func(w *world) { w.programs["timedatectl show"] = "CanNTP=yes\nNTP=yes\nNTPSynchronized=no\n" }, "clock", Warning, "not set yet", "timesync-status"},
	"no folder for the state":    {func(w *world) { delete(w.files.files, "/var/lib/csmail") }, "state", Critical, "/var/lib/csmail", "install -d -o csmail"},
	"the disk is full":           {func(w *world) { w.files.free = 5 << 20 }, "state", Warning, "5 MiB are free", "df /var/lib/csmail"},
	"the state cannot be stored": {func(w *world) { w.daemon.status.State.Error = "no space left" }, "state", Critical, "no space left", ""},
	"a broken scenario":          {func(w *world) { w.loading = errors.New("line 7") }, "scenarios", Critical, "line 7", ""},
	"others write the binary":    {func(w *world) { w.mode("/usr/bin/csmail", 0o775) }, "files", Critical, "others may write /usr/bin/csmail", "chmod go-w /usr/bin/csmail"},
	"others read the key":        {func(w *world) { w.mode("/etc/csmail/csmail.yaml.local", 0o644) }, "files", Critical, "others may read /etc/csmail/csmail.yaml.local", "chmod o="},
	"csmail cannot read":         {func(w *world) { w.mode("/etc/csmail/lapi_credentials.yaml", 0o600) }, "files", Critical, "csmail run cannot read", "chown root:csmail"},
	"csmail owns what root runs": {func(w *world) { w.files.files["/usr/bin/csmail"] = File{Mode: 0o755, Owner: "csmail", Group: "csmail"} }, "files", Warning, "belongs to csmail", "chown root"},
	"Postfix logs to a file":     {func(w *world) { w.mail.Main += "maillog_file = /var/log/postfix.log\n" }, "postfix", Critical, "/var/log/postfix.log", "filenames: [/var/log/postfix.log]"},
	"another facility":           {func(w *world) { w.mail.Main += "syslog_facility = local3\n" }, "postfix", Critical, "local3", "postconf -X syslog_facility"},
	"an unknown syslog_name":     {func(w *world) { w.mail.Overrides += "smtps/inet/syslog_name = my mail[1]\n" }, "postfix", Critical, "smtps/inet: ", "postfix/NAME"},
	"short queue IDs":            {func(w *world) { w.mail.Main = strings.Replace(w.mail.Main, "enable_long_queue_ids = yes\n", "", 1) }, "postfix", Note, "enable_long_queue_ids", "postconf -e enable_long_queue_ids=yes"},
	"no TLS in the log":          {func(w *world) { w.mail.Main = strings.Replace(w.mail.Main, "smtpd_tls_loglevel = 1\n", "", 1) }, "postfix", Note, "smtpd_tls_loglevel = 0", "smtpd_tls_loglevel=1"},
	"debugging of TLS":           {func(w *world) { w.mail.Main += "smtpd_tls_loglevel = 3\n" }, "postfix", Warning, "smtpd_tls_loglevel = 3", "smtpd_tls_loglevel=1"},
	"no names of clients":        {func(w *world) { w.mail.Main += "smtpd_peername_lookup = no\n" }, "postfix", Note, "smtpd_peername_lookup", "smtpd_peername_lookup=yes"},
	"a proxy before Dovecot only": {func(w *world) {
		w.mail.Dovecot += "service imap-login {\n  inet_listener imap {\n    haproxy = yes\n  }\n}\n"
	}, "postfix", Warning, "proxy", "smtpd_upstream_proxy_protocol"},
	"Dovecot logs to a file":     {func(w *world) { w.mail.Dovecot += "log_path = /var/log/dovecot.log\n" }, "dovecot", Critical, "/var/log/dovecot.log", "filenames: [/var/log/dovecot.log]"},
	"Dovecot's infos to a file":  {func(w *world) { w.mail.Dovecot += "info_log_path = /var/log/dovecot-info.log\n" }, "dovecot", Critical, "/var/log/dovecot-info.log", "log_path = syslog"},
	"Dovecot, another facility":  {func(w *world) { w.mail.Dovecot += "syslog_facility = local5\n" }, "dovecot", Critical, "local5", "syslog_facility = mail"},
	"a login without an address": {func(w *world) { w.mail.Dovecot += "login_log_format_elements = user=<%u> %m %c\n" }, "dovecot", Critical, "login_log_format_elements", "login_log_format_elements"},
	"not verbose":                {func(w *world) { w.mail.Dovecot = strings.Replace(w.mail.Dovecot, "auth_verbose = yes\n", "", 1) }, "dovecot", Note, "auth_verbose", "auth_verbose = yes"},
}

const recordedCollections = `{
 "collections": [
  {
   "name": "crowdsecurity/postfix",
   "local_version": "0.2",
   "local_path": "/etc/crowdsec/collections/postfix.yaml",
   "description": "postfix support : parser and spammer detection",
   "utf8_status": "⚠️  enabled,tainted",
   "status": "enabled,tainted"
  }
 ]
}`

const recordedBouncers = `[
  {
    "created_at": "2026-11-29T08:58:58.585556161Z",
    "updated_at": "2026-11-29T08:58:58.585556762Z",
    "name": "csmail@mx1",
    "revoked": false,
    "ip_address": "",
    "type": "",
    "version": "",
    "last_pull": null,
    "auth_type": "api-key",
    "os": "?",
    "auto_created": false
  }
]`

func (w *world) mode(path string, mode fs.FileMode) {
	f := w.files.files[path]
	f.Mode = mode
	w.files.files[path] = f
}

func (w *world) otherBouncer(list string) {
	w.Config.Bouncer.APIKey = ""
	w.programs["cscli bouncers list -o json"] = list
}

func withoutDunno(main string) string { return strings.ReplaceAll(main, ", default_action=DUNNO", "") }

func TestBroken(t *testing.T) {
	for name, tt := range broken {
		t.Run(name, func(t *testing.T) {
			w := goodHost(t)
			tt.change(w)
			r := byName(Run(t.Context(), Probes(w.Inputs)))[tt.probe]
			wantLevel := tt.level
			if tt.level == Note {
				wantLevel = OK // advice changes no colour
			}
			if r.Level != wantLevel || len(r.Findings) == 0 {
				t.Fatalf("%s: got %s %+v, want %s", tt.probe, r.Level, r.Findings, tt.level)
			}
			if f := r.Findings[0]; f.Level != tt.level || !strings.Contains(f.Problem, tt.problem) || !strings.Contains(f.Mend, tt.mend) {
				t.Errorf("%s: got %+v, want %s, the problem %q and the mend %q", tt.probe, f, tt.level, tt.problem, tt.mend)
			}
			if tt.level > Note && r.Text != r.Findings[0].Problem {
				t.Errorf("%s: got the text %q, want the problem", tt.probe, r.Text)
			}
		})
	}
}

// Twins of what is broken: the same setting, where it does no harm.
func TestHarmless(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world)
		probe  string
	}{
		"another bouncer asks": {func(w *world) { w.otherBouncer(`[{"name":"old"},{"name":"fw","last_pull":"2026-11-29T08:59:50Z"}]`) }, "bouncer"},
		"a LAPI elsewhere":     {func(w *world) { w.Config.Bouncer.APIKey = ""; clear(w.programs) }, "bouncer"},
		"an edge without credentials": {func(w *world) {
			w.Config.Cluster.Role = "edge"
			w.lapi = errors.New("no credentials")
		}, "lapi"},
		"no agent here": {func(w *world) { clear(w.programs) }, "agent"},
		"an agent judges the log": {func(w *world) {
			w.Config.Detect = false
			w.programs["cscli collections list -o json"] = recordedCollections
		}, "agent"},
		"no systemd":            {func(w *world) { delete(w.programs, "timedatectl show") }, "clock"},
		"no time service known": {func(w *world) { w.programs["timedatectl show"] = "CanNTP=no\nNTP=no\nNTPSynchronized=no\n" }, "clock"},
		"the file is followed":  {func(w *world) { w.follow("/var/log/post*.log"); w.mail.Main += "maillog_file = /var/log/postfix.log\n" }, "postfix"},
		"followed by default": {func(w *world) {
			w.daemon.status.Sources[0].Name = "/var/log/mail.log"
			w.mail.Main += "maillog_file = /var/log/mail.log\n"
		}, "postfix"},
		"a wider journal filter": {func(w *world) {
			w.filter("SYSLOG_FACILITY=2", "SYSLOG_FACILITY=19")
			w.mail.Main += "syslog_facility = local3\n"
		}, "postfix"},
		"syslog_name by a variable": {func(w *world) { w.mail.Overrides += "smtps/inet/syslog_name = postfix/$service_name\n" }, "postfix"},
		"syslog_name of an instance": {func(w *world) {
			w.mail.Main += "syslog_name = ${multi_instance_name?{$multi_instance_name}:{postfix}}\n"
		}, "postfix"},
		"a proxy before both": {func(w *world) {
			w.mail.Dovecot += "service imap-login {\n  inet_listener imap {\n    haproxy = yes\n  }\n}\n"
			w.mail.Overrides += "10025/inet/smtpd_upstream_proxy_protocol = haproxy\n"
		}, "postfix"},
		"log_path is syslog": {func(w *world) { w.mail.Dovecot += "log_path = syslog\n" }, "dovecot"},
		"the address is in": {func(w *world) {
			w.mail.Dovecot += "login_log_format_elements = user=<%u> rip=%r lip=%l session=<%{session}>\n"
		}, "dovecot"},
		"the proxy is known": {func(w *world) {
			w.daemon.status.Gateway = &control.Gateway{Addr: "10.0.0.5", Percent: 97}
			w.Config.Guard.Relays = []config.Network{config.Network(netip.MustParsePrefix("10.0.0.0/8"))}
		}, "logs"},
		"no mail server here": {func(w *world) { w.mail = host.MailSettings{} }, "dovecot"},
	} {
		t.Run(name, func(t *testing.T) {
			w := goodHost(t)
			tt.change(w)
			r := byName(Run(t.Context(), Probes(w.Inputs)))[tt.probe]
			if r.Level != OK || r.Text == "" {
				t.Errorf("%s: got %s, %q, %+v, want ok", tt.probe, r.Level, r.Text, r.Findings)
			}
		})
	}
}

func (w *world) follow(glob string) {
	w.Config.Sources = []config.Source{{Source: "file", Filenames: []string{glob}}}
}

func (w *world) filter(matches ...string) {
	w.Config.Sources = []config.Source{{Source: "journalctl", JournalctlFilter: matches}}
}

// A probe that hangs ends with its context, and does not keep the others.
func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := goodHost(t)
	w.Inputs.LAPI = func(ctx context.Context) (string, time.Duration, error) {
		<-ctx.Done()
		return "", 0, ctx.Err()
	}
	results := byName(Run(ctx, Probes(w.Inputs)))
	if got := results["lapi"].Level; got != Critical {
		t.Errorf("lapi: got %s, want critical", got)
	}
	if got := results["files"].Level; got != OK {
		t.Errorf("files: got %s, want ok", got)
	}
}

func TestHostFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	f, err := HostFiles{}.Stat(path)
	if err != nil || f.Mode.Perm() != 0o640 || f.Owner == "" || f.Group == "" {
		t.Errorf("got %+v, %v, want mode 0640 and an owner", f, err)
	}
	if _, err := (HostFiles{}).Stat(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v, want that it does not exist", err)
	}
	if free, err := (HostFiles{}).Free(filepath.Dir(path)); err != nil || free == 0 {
		t.Errorf("got %d bytes free, %v, want some", free, err)
	}
}
