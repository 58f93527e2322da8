//go:build e2e

package install

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
	"strings"
	"time"
)

// banned is a client that a person bans by cscli; it attacks nobody.
const banned = "203.0.113.70"

// levels are the results of csmail check by name, and its exit status.
func (l *life) levels() (levels map[string]string, status string, shown string) {
	l.t.Helper()
	out := l.sh("csmail check -o json || echo $?")
	end := strings.LastIndexByte(out, ']') + 1
	var results []struct{ Name, Level, Text string }
	if err := json.Unmarshal([]byte(out[:end]), &results); err != nil {
		l.t.Fatalf("csmail check -o json: %v\n%s", err, out)
	}
	levels = map[string]string{}
	for _, r := range results {
		if r.Level != "ok" {
			levels[r.Name] = r.Level
		}
	}
	return levels, strings.TrimSpace(out[end:]), out
}

// wantLevels compares what is not ok with what was broken. A daemon notices what happened
// to it after a moment, so the check is repeated for a while.
func (l *life) wantLevels(what string, want map[string]string, status string) {
	l.t.Helper()
	var shown string
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		got, exit, out := l.levels()
		if maps.Equal(got, want) && exit == status {
			return
		}
		if shown = fmt.Sprintf("got %v, exit status %q, want %v, %q\n%s", got, exit, want, status, out); time.Now().After(end) {
			break
		}
	}
	l.t.Errorf("csmail check, %s: %s", what, shown)
}

// checkAfterSetup: setup left nothing to mend but that no bouncer enforces the bans.
func (l *life) checkAfterSetup() {
	l.wantLevels("after setup", map[string]string{"bouncer": "warning"}, "1")
}

// enforce: csmail setup --enforce and nothing else has Postfix and Dovecot refuse a banned
// client; a dead csmail lets it in; the undo leaves their configuration byte for byte.
func (l *life) enforce() {
	const sums = `find /etc/postfix /etc/dovecot /etc/csmail -type f ! -name setup-undo.json -printf '%p %m %u:%g ' -exec sh -c 'sha256sum <"$1"' _ {} \; | sort; postconf -n; doveconf -n`
	before := l.sh(sums)
	if out := l.must("csmail", "setup", "--enforce", "--dry-run"); !strings.Contains(out, "check_policy_service") || !strings.Contains(out, "auth_policy_server_url") {
		l.t.Errorf("the dry run shows no fragments:\n%s", out)
	}
	if got := l.sh(sums); got != before {
		l.t.Errorf("the dry run changed the host:\nbefore\n%s\nafter\n%s", before, got)
	}
	l.must("csmail", "setup", "--enforce", "--yes")
	if out := l.must("csmail", "setup", "--enforce", "--yes"); !strings.Contains(out, "nothing is to be done") {
		l.t.Errorf("a second time does something:\n%s", out)
	}
	l.wantLevels("after setup --enforce", map[string]string{}, "")

	l.must("cscli", "decisions", "add", "--ip", banned, "--duration", "1h")
	l.await(time.Minute, "the ban is enforced", func() bool { return l.offerMail(banned) == 421 })
	if accepted, err := l.outside.loginIMAP(l.t, banned, "alice", "right"); err != nil || accepted {
		l.t.Errorf("IMAP of a banned client: accepted %v, %v, want a refusal", accepted, err)
	}
	l.getsIn(regular, "while csmail runs")
	l.hangs()
	l.breakThings()
	l.must("systemctl", "stop", "csmail")
	l.getsIn(banned, "while csmail is dead")
	l.must("systemctl", "start", "csmail")

	l.must("csmail", "setup", "--undo", "--enforce", "--yes")
	if got := l.sh(sums); got != before {
		l.t.Errorf("undo left the host changed:\nbefore\n%s\nafter\n%s", before, got)
	}
	l.getsIn(banned, "after the undo")
	l.wantLevels("after the undo", map[string]string{"bouncer": "warning"}, "1")
}

// breakThings breaks one thing after the other, and csmail check says which.
func (l *life) breakThings() {
	l.must("systemctl", "stop", "crowdsec")
	l.wantLevels("without crowdsec", map[string]string{"lapi": "critical", "bouncer": "critical"}, "2")
	l.must("systemctl", "start", "crowdsec")
	l.await(time.Minute, "the LAPI answers", func() bool { _, err := l.run("cscli", "lapi", "status"); return err == nil })

	l.sh(`cp -p /etc/postfix/main.cf /root/main.cf; postconf -e 'smtpd_client_restrictions=check_policy_service inet:127.0.0.1:10040'`)
	l.wantLevels("with a door that closes", map[string]string{"doors": "critical"}, "2")
	if out := l.sh("csmail check --nagios || :"); !strings.HasPrefix(out, "CSMAIL CRITICAL - doors: ") {
		l.t.Errorf("csmail check --nagios begins with %.200q, want the door", out)
	}
	l.sh("cp -p /root/main.cf /etc/postfix/main.cf; postfix reload")

	l.must("cscli", "bouncers", "delete", "csmail")
	l.wantLevels("with a key that was revoked", map[string]string{"bouncer": "critical"}, "2")
}

// getsIn: an address delivers mail and logs in.
func (l *life) getsIn(from, when string) {
	l.t.Helper()
	if code := l.offerMail(from); code != 250 {
		l.t.Errorf("%s: mail from %s is answered %d, want 250", when, from, code)
	}
	if accepted, err := l.outside.loginIMAP(l.t, from, "alice", "right"); err != nil || !accepted {
		l.t.Errorf("%s: IMAP from %s: accepted %v, %v", when, from, accepted, err)
	}
}

// offerMail offers a mail for alice and returns the answer to its recipient.
func (l *life) offerMail(from string) int {
	l.t.Helper()
	code, err := l.offerMailAt(from, "25")
	if err != nil {
		l.t.Fatalf("SMTP from %s: %v", from, err)
	}
	return code
}

// offerMailAt returns the answer to the recipient, or the refusal before it.
func (l *life) offerMailAt(from, port string) (int, error) {
	conn, err := l.outside.dial(l.t, from, port)
	if err != nil {
		return 0, err
	}
	text := textproto.NewConn(conn)
	defer text.Close()
	code, _, err := text.ReadResponse(0)
	for _, line := range []string{"EHLO client.example", "MAIL FROM:<someone@example.net>", "RCPT TO:<alice@" + hostName + ">"} {
		if err != nil || code >= 400 {
			return code, err
		}
		_ = text.PrintfLine("%s", line) // a failure shows in the answer
		code, _, err = text.ReadResponse(0)
	}
	return code, err
}
