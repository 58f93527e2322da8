//go:build e2e

package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// acquis is what cscli setup writes on a host with Postfix and Dovecot.
const acquis = `filenames: [/var/log/mail.log]
labels: {type: syslog}
`

// hubItems are what cscli setup installs on such a host. They are installed as cscli
// does it, by a link into the hub, since cscli itself asks the network first.
var hubItems = map[string]string{
	"collections/postfix.yaml":                 "collections/crowdsecurity/postfix.yaml",
	"collections/dovecot.yaml":                 "collections/crowdsecurity/dovecot.yaml",
	"parsers/s00-raw/syslog-logs.yaml":         "parsers/s00-raw/crowdsecurity/syslog-logs.yaml",
	"parsers/s01-parse/postfix-logs.yaml":      "parsers/s01-parse/crowdsecurity/postfix-logs.yaml",
	"parsers/s01-parse/postscreen-logs.yaml":   "parsers/s01-parse/crowdsecurity/postscreen-logs.yaml",
	"parsers/s01-parse/dovecot-logs.yaml":      "parsers/s01-parse/crowdsecurity/dovecot-logs.yaml",
	"parsers/s02-enrich/dateparse-enrich.yaml": "parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml",
	"scenarios/postfix-spam.yaml":              "scenarios/crowdsecurity/postfix-spam.yaml",
	"scenarios/dovecot-spam.yaml":              "scenarios/crowdsecurity/dovecot-spam.yaml",
}

// putCrowdSec lays CrowdSec's programs and the files of its source into the host
// as its package does, without the central API, and the hub of Debian's package.
func (h *host) putCrowdSec() {
	h.t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/crowdsecurity/crowdsec").Output()
	if err != nil {
		h.t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "config")
	for _, name := range []string{"crowdsec", "cscli"} {
		h.copy(repoPath(h.t, "tests", "crowdsec", "bin", name), "/usr/bin/"+name)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			h.t.Fatal(err)
		}
		return string(text)
	}
	config, rest, found := strings.Cut(read("config.yaml"), "    online_client:")
	_, after, ends := strings.Cut(rest, "    trusted_ips:")
	if !found || !ends {
		h.t.Fatal("CrowdSec's config.yaml has another form than this test knows")
	}
	h.put("/etc/crowdsec/config.yaml", config+"    trusted_ips:"+after, 0o600)
	for _, name := range []string{"profiles.yaml", "simulation.yaml", "console.yaml", "acquis.yaml"} {
		h.put("/etc/crowdsec/"+name, read(name), 0o644)
	}
	h.put("/etc/crowdsec/acquis.d/setup.mail.yaml", acquis, 0o644)
	h.put("/etc/crowdsec/local_api_credentials.yaml", "", 0o600)
	h.put("/usr/lib/systemd/system/crowdsec.service", strings.ReplaceAll(read("crowdsec.service"), "/usr/local/bin", "/usr/bin"), 0o644)
	h.copy(filepath.Join(source, "patterns"), "/etc/crowdsec/patterns")
	h.copy(repoPath(h.t, "tests", "crowdsec", "debian", "usr", "share", "crowdsec", "hub"), "/etc/crowdsec/hub")
	for name, item := range hubItems {
		h.link("/etc/crowdsec/hub/"+item, "/etc/crowdsec/"+name)
	}
	for _, dir := range []string{"/var/lib/crowdsec/data", "/usr/local/lib/crowdsec/plugins", "/etc/crowdsec/notifications"} {
		if err := os.MkdirAll(filepath.Join(h.dir, "upper", dir), 0o755); err != nil {
			h.t.Fatal(err)
		}
	}
}

// copy copies a file or a folder into the host before it boots.
func (h *host) copy(from, to string) {
	h.t.Helper()
	to = filepath.Join(h.dir, "upper", to)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-rLT", "--no-preserve=ownership", from, to).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("chmod", "-R", "u+w", to).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
}

// startCrowdSec does what CrowdSec's package does after its files are there.
func (h *host) startCrowdSec() {
	h.t.Helper()
	h.must("cscli", "machines", "add", "--auto", "--force")
	h.must("systemctl", "enable", "--now", "crowdsec")
	h.await(time.Minute, "the LAPI answers", func() bool { _, err := h.run("cscli", "lapi", "status"); return err == nil })
}

// link makes a symbolic link in the host before it boots.
func (h *host) link(to, path string) {
	h.t.Helper()
	path = filepath.Join(h.dir, "upper", path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		h.t.Fatal(err)
	}
}
