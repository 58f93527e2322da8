//go:build e2e

package install

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// firstBan is how long the way from the first command to the first ban may take.
const firstBan = 2 * time.Minute

// life is a host on which csmail lives, from its package to the purge.
type life struct {
	*host
	before map[string]bool // the files of the host without csmail
}

// The clients of a life. Each does one thing.
const (
	guesser  = "203.0.113.7"   // guesses at once
	penal    = "203.0.113.8"   // guesses over SMTP, and Dovecot's penalty slows it down
	typist   = "203.0.113.60"  // mistypes a password a few times: not banned
	allowed  = "203.0.113.50"  // stands in guard.allow
	patient  = "203.0.113.9"   // guesses before and after the log is rotated
	vacuumed = "203.0.113.10"  // guesses after the journal was vacuumed
	rebooter = "203.0.113.11"  // guesses before and after the reboot
	upgraded = "203.0.113.12"  // guesses before and after the upgrade
	regular  = "198.51.100.20" // alice herself
)

// TestLife is the life of csmail on Debian 12 and 13. Its stages need each other
// and run in this order.
func TestLife(t *testing.T) {
	packages := map[string]string{"": buildPackage(t, ""), newVersion: buildPackage(t, newVersion)}
	t.Run("elsewhere", func(t *testing.T) { testElsewhere(t, packages[""]) })
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel() // each waits for its mail servers most of the time
			h := newHost(t, suite)
			h.putCrowdSec()
			h.copy(packages[""], "/root/csmail.deb")
			h.copy(packages[newVersion], "/root/csmail-new.deb")
			h.boot()
			h.sh(`useradd -m alice; echo alice:right | chpasswd; postconf -X myhostname`)
			h.startCrowdSec()
			l := &life{host: h, before: h.files()}
			for _, stage := range []struct {
				name string
				run  func()
			}{
				{"first ban", l.firstBan},
				{"check", l.checkAfterSetup},
				{"report by mail", l.reportByMail},
				{"setup --enforce", l.enforce},
				{"SMTP AUTH under Dovecot's penalty", l.penalty},
				{"reload", l.reload},
				{"another source and logrotate", l.rotate},
				{"journal vacuum", l.vacuum},
				{"reboot", l.rebootOnce},
				{"upgrade", l.upgrade},
				{"setup again", l.setupAgain},
				{"nobody else is banned", l.innocents},
				{"a source for the agent", l.agent},
				{"purge", l.purge},
			} {
				began := time.Now()
				ok := t.Run(stage.name, func(t *testing.T) {
					defer func(before *testing.T) { h.t = before }(h.t)
					h.t = t
					stage.run()
					if t.Failed() {
						t.Log(h.story())
					}
				})
				t.Logf("%s: %v", stage.name, time.Since(began).Round(100*time.Millisecond))
				if !ok {
					break
				}
			}
		})
	}
}

// firstBan: two commands of the administrator, and the attack ends in a ban.
func (l *life) firstBan() {
	began := time.Now()
	l.must("apt-get", "install", "-y", "--no-install-recommends", "/root/csmail.deb")
	l.must("csmail", "setup", "--yes", "--live")
	l.outside.guessIMAP(l.t, guesser, "alice", 8)
	l.awaitBan(guesser)
	took := time.Since(began)
	l.t.Logf("from the first command to the first ban: %v", took.Round(time.Second))
	if took > firstBan {
		l.t.Errorf("the first ban came after %v, want %v", took, firstBan)
	}
	l.outside.guessIMAP(l.t, typist, "bob", 4)
	l.loginAsAlice()
	if out := l.must("cscli", "collections", "list"); strings.Contains(out, "postfix") || strings.Contains(out, "dovecot") {
		l.t.Errorf("the agent still has the hub's mail collections:\n%s", out)
	}
	if out := l.must("systemctl", "is-enabled", "csmail.service", "csmail-report.timer"); strings.Contains(out, "disabled") {
		l.t.Errorf("units are not enabled:\n%s", out)
	}
	l.must("csmail", "run", "-t")
	if out := l.must("csmail", "status"); !regexp.MustCompile(`following +\d+ .*journal`).MatchString(out) {
		l.t.Errorf("status shows no journal that is followed:\n%s", out)
	}
}

func (l *life) loginAsAlice() {
	l.t.Helper()
	if accepted, err := l.outside.loginIMAP(l.t, regular, "alice", "right"); err != nil || !accepted {
		l.t.Errorf("alice cannot log in: %v, %v", accepted, err)
	}
}

// penalty: what every guide to Postfix and Dovecot adds is SMTP AUTH. Dovecot's
// penalty then makes Postfix lose its patience, which is no outage of ours.
func (l *life) penalty() {
	l.sh(`cat >/etc/dovecot/conf.d/99-postfix.conf <<'END'
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
END
postconf -e smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth smtpd_sasl_auth_enable=yes
systemctl restart dovecot
systemctl reload postfix`)
	l.outside.guessSMTP(l.t, penal, "alice", 4)
	l.awaitBan(penal)
	if log := l.must("cat", "/var/log/mail.log"); !strings.Contains(log, "Connection lost to authentication server") {
		l.t.Errorf("Postfix lost no patience, so this shows nothing:\n%s", log)
	}
}

// reload: a good configuration is taken, a wrong one refused, and csmail goes on.
func (l *life) reload() {
	l.writeLocal("guard:\n  allow: [" + allowed + "]\n")
	l.must("systemctl", "reload", "csmail")
	l.outside.guessIMAP(l.t, allowed, "alice", 8)
	l.writeLocal("guard:\n  alow: [" + allowed + "]\n")
	if out, err := l.run("systemctl", "reload", "csmail"); err == nil {
		l.t.Errorf("a wrong configuration is taken:\n%s", out)
	}
	l.must("systemctl", "is-active", "csmail")
	l.must("csmail", "status")
}

// writeLocal writes the administrator's own configuration.
func (l *life) writeLocal(text string) {
	l.t.Helper()
	l.sh("cat >/etc/csmail/csmail.yaml.local <<'END'\n" + text + "END")
}

// rotate: the administrator turns from the journal to the file, which holds the
// same lines, and the file is rotated as Debian does it.
func (l *life) rotate() {
	l.writeLocal("guard:\n  allow: [" + allowed + "]\nsources:\n  - source: file\n    filenames: [/var/log/mail.log]\n")
	l.must("systemctl", "restart", "csmail")
	l.outside.guessIMAP(l.t, patient, "alice", 3)
	l.sh("logrotate -f /etc/logrotate.d/rsyslog; test -s /var/log/mail.log.1")
	l.outside.guessIMAP(l.t, patient, "alice", 4)
	l.awaitBan(patient)
}

// vacuum: the journal loses its files under csmail.
func (l *life) vacuum() {
	l.writeLocal("guard:\n  allow: [" + allowed + "]\n")
	l.must("systemctl", "restart", "csmail")
	l.sh("journalctl --sync; journalctl --rotate; journalctl --vacuum-time=1s")
	l.outside.guessIMAP(l.t, vacuumed, "alice", 7)
	l.awaitBan(vacuumed)
}

// rebootOnce: what csmail knew before it knows after.
func (l *life) rebootOnce() {
	l.outside.guessIMAP(l.t, rebooter, "alice", 3)
	l.reboot()
	l.await(time.Minute, "csmail runs", func() bool { _, err := l.run("csmail", "status"); return err == nil })
	l.outside.guessIMAP(l.t, rebooter, "alice", 4)
	l.awaitBan(rebooter)
}

const newVersion = "9.0.0"

// upgrade: a newer package keeps the state, the bans and what the administrator
// wrote, and the daemon that runs is the new one.
func (l *life) upgrade() {
	l.outside.guessIMAP(l.t, upgraded, "alice", 3)
	local := l.must("cat", "/etc/csmail/csmail.yaml.local")
	banned := len(l.bans())
	l.must("apt-get", "install", "-y", "--no-install-recommends", "/root/csmail-new.deb")
	if got := l.must("cat", "/etc/csmail/csmail.yaml.local"); got != local {
		l.t.Errorf("the upgrade made %q of the administrator's %q", got, local)
	}
	l.await(time.Minute, "the new csmail runs", func() bool {
		out, err := l.run("csmail", "status")
		return err == nil && strings.Contains(out, "csmail "+newVersion)
	})
	if got := len(l.bans()); got < banned {
		l.t.Errorf("%d bans after the upgrade, want at least %d", got, banned)
	}
	l.outside.guessIMAP(l.t, upgraded, "alice", 4)
	l.awaitBan(upgraded)
}

// setupAgain: nothing is left to do, and nothing is done.
func (l *life) setupAgain() {
	const sums = `find /etc -xdev -type f ! -path '/etc/crowdsec/*' -exec sha256sum {} + | sort; find /etc -xdev -type l | sort; cscli machines list -o raw | cut -d, -f1; systemctl show -p MainPID csmail`
	before := l.sh(sums)
	out := l.must("csmail", "setup", "--yes")
	if want := "nothing is to be done"; !strings.Contains(out, want) {
		l.t.Errorf("setup printed %q, want %q", out, want)
	}
	if after := l.sh(sums); after != before {
		l.t.Errorf("setup changed the host:\nbefore\n%s\nafter\n%s", before, after)
	}
}

// innocents: who mistyped a password, is allowed, or is alice is not banned, though
// the same lines were read from the journal, the file and the journal again.
func (l *life) innocents() {
	l.loginAsAlice()
	bans := l.bans()
	for _, addr := range []string{typist, allowed, regular} {
		if ban, banned := bans[addr]; banned {
			l.t.Errorf("%s is banned: %s", addr, ban)
		}
	}
}

// purge leaves what the administrator wrote, and nothing else. Postfix and Dovecot, which
// asked csmail, are as they were.
func (l *life) purge() {
	const doors = `find /etc/postfix /etc/dovecot -type f -printf '%p %m %u:%g ' -exec sh -c 'sha256sum <"$1"' _ {} \; | sort`
	before := l.sh(doors)
	l.must("csmail", "setup", "--enforce", "--yes")
	defer func() {
		if got := l.sh(doors); got != before {
			l.t.Errorf("purge left the mail servers changed:\nbefore\n%s\nafter\n%s", before, got)
		}
	}()
	out := l.must("apt-get", "purge", "-y", "csmail")
	l.t.Log(out)
	const mine = "/etc/csmail/csmail.yaml.local"
	for path := range l.files() {
		if !l.before[path] && path != mine && path != "/etc/csmail" {
			l.t.Errorf("purge left %s", path)
		}
	}
	if out, err := l.run("cat", mine); err != nil {
		l.t.Errorf("what the administrator wrote is gone: %v, %s", err, out)
	}
	for _, line := range []string{"getent passwd csmail", "getent group csmail", "pgrep -x csmail", "systemctl is-active csmail", "systemctl is-enabled csmail", "cscli machines inspect csmail"} {
		if out, err := l.run("sh", "-c", line); err == nil {
			l.t.Errorf("after the purge %q finds %s", line, out)
		}
	}
	if out, _ := l.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "csmail*"); strings.Contains(out, "csmail") {
		l.t.Errorf("after the purge systemd knows %s", out)
	}
}

// files are the files on the host that have to do with csmail: those whose path
// names it, and those of the folders where packages and systemd put things. Logs
// and the package manager's own books are not among them.
func (h *host) files() map[string]bool {
	h.t.Helper()
	out := h.sh(`find / -xdev \( -path /proc -o -path /sys -o -path /var/log -o -path /var/lib/crowdsec -o -path /root -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/spool/postfix -o -path /var/lib/postfix -o -path /home -o -path /var/mail \) -prune -o \( -type f -o -type l -o -name '*csmail*' \) -print
find /run -xdev -name '*csmail*'; find /var/lib/dpkg /var/lib/systemd /var/log -name '*csmail*' ! -name 'csmail-e2e'`)
	found := map[string]bool{}
	for line := range strings.Lines(out) {
		path := strings.TrimSpace(line)
		if path != "" && !isPassing(path) {
			found[path] = true
		}
	}
	return found
}

// isPassing reports whether a file comes and goes with the life of any host.
func isPassing(path string) bool {
	for _, prefix := range []string{"/etc/crowdsec/", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/dovecot/conf.d/99-postfix.conf", "/var/lib/logrotate/", "/var/lib/systemd/", "/var/lib/dovecot/", "/run/user/", "/etc/.pwd.lock"} {
		if strings.HasPrefix(path, prefix) && !strings.Contains(path, "csmail") {
			return true
		}
	}
	return false
}

// decisions as cscli decisions list shows them, by address: "ban csmail/auth-bf".
func (h *host) bans() map[string]string {
	h.t.Helper()
	out, err := h.run("cscli", "decisions", "list", "-o", "raw")
	if err != nil {
		h.t.Fatalf("cscli decisions list: %v\n%s", err, out)
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		// id,source,ip,reason,action,country,...
		fields := strings.Split(line, ",")
		if len(fields) > 5 && strings.HasPrefix(fields[2], "Ip:") {
			found[strings.TrimPrefix(fields[2], "Ip:")] = fmt.Sprintf("%s %s", fields[4], fields[3])
		}
	}
	return found
}

// awaitBan waits until cscli shows a ban by csmail on an address.
func (h *host) awaitBan(addr string) {
	h.t.Helper()
	h.await(90*time.Second, addr+" is banned", func() bool { return strings.HasPrefix(h.bans()[addr], "ban csmail/") })
}
