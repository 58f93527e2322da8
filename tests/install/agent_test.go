//go:build e2e

package install

import (
	"os"
	"regexp"
	"strings"
	"time"
)

// observed is a client that guesses while the agent judges csmail's events.
const observed = "203.0.113.13"

// agent does what docs/usage.md says in its section on a CrowdSec agent, to the letter,
// and the agent bans.
func (l *life) agent() {
	l.must("systemctl", "stop", "csmail")
	follow, acquis, install := l.agentSection()
	l.sh("cat >/etc/crowdsec/acquis.d/csmail.yaml <<'END'\n" + acquis + "END")
	l.must("systemd-run", "--unit=csmail-events", "sh", "-c", follow)
	defer func() {
		l.sh("systemctl stop csmail-events; rm /etc/crowdsec/acquis.d/csmail.yaml /etc/crowdsec/parsers/s01-parse/csmail-events.yaml /etc/crowdsec/scenarios/csmail.yaml /var/log/csmail-events.log; systemctl reload crowdsec; systemctl start csmail")
	}()
	guess := func() { l.outside.guessIMAP(l.t, observed, "alice", 4) }
	l.await(2*time.Minute, "csmail writes events", func() bool { guess(); return l.holds("test -s /var/log/csmail-events.log") })
	l.sh("sudo() { \"$@\"; }\n" + install)
	l.await(3*time.Minute, "the agent bans", func() bool { guess(); return strings.HasPrefix(l.bans()[observed], "ban csmail/") })
	if out := l.must("cscli", "alerts", "list", "--ip", observed, "-m", "-o", "raw"); strings.Contains(out, ",csmail,") || !strings.Contains(out, "csmail/auth-bf") {
		l.t.Errorf("the alert is not the agent's:\n%s", out)
	}
}

// holds reports whether a shell command succeeds.
func (h *host) holds(script string) bool {
	_, err := h.run("sh", "-c", script)
	return err == nil
}

// agentSection returns the blocks of the section: the command that writes the events, the
// agent's acquisition, and what installs parser and scenarios.
func (l *life) agentSection() (follow, acquis, install string) {
	l.t.Helper()
	text, err := os.ReadFile(repoPath(l.t, "docs", "usage.md"))
	if err != nil {
		l.t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## csmail as a source for a CrowdSec agent\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```[a-z]*\n(.*?)```\n").FindAllStringSubmatch(section, -1)
	if len(blocks) != 3 {
		l.t.Fatalf("got %d blocks in the section of docs/usage.md, want three", len(blocks))
	}
	return blocks[0][1], blocks[1][1], blocks[2][1]
}
