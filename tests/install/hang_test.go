//go:build e2e

package install

import (
	"strings"
	"sync"
	"time"
)

// screenPort is where postscreen stands in for port 25 of this host.
const screenPort = "2525"

// postscreenMaster is what docs/enforcement.md has an administrator configure, on a port
// of its own and without postscreen's wait of six seconds.
const postscreenMaster = `cp -p /etc/postfix/master.cf /root/master.cf; cp -p /etc/csmail/csmail.yaml.local /root/csmail.yaml.local
postconf -M '` + screenPort + `/inet=` + screenPort + ` inet n - y - 1 postscreen' smtpd/pass='smtpd pass - - y - - smtpd' dnsblog/unix='dnsblog unix - - y - 0 dnsblog' tlsproxy/unix='tlsproxy unix - - y - 0 tlsproxy'
postconf -P '` + screenPort + `/inet/postscreen_access_list=permit_mynetworks,socketmap:inet:127.0.0.1:10041:psc' '` + screenPort + `/inet/postscreen_denylist_action=drop' '` + screenPort + `/inet/postscreen_greet_wait=1s'
echo 'enforce: {socketmap: {listen: ["127.0.0.1:10041"]}}' >>/etc/csmail/csmail.yaml.local
postfix reload; systemctl restart csmail`

// hangs: while csmail hangs, postscreen keeps everybody waiting who asks csmail's door, and
// ends with a watchdog of its own after ten seconds. systemd ends csmail before, the clients
// that waited get in, and csmail comes back.
func (l *life) hangs() {
	l.sh(postscreenMaster)
	isRefused := func() bool { code, _ := l.offerMailAt(banned, screenPort); return code == 521 }
	l.await(time.Minute, "postscreen refuses a banned client", isRefused)
	pid := strings.TrimSpace(l.sh("systemctl show -p MainPID --value csmail"))
	l.must("kill", "-STOP", pid)
	var group sync.WaitGroup
	for _, from := range []string{regular, typist, allowed} {
		group.Go(func() {
			began := time.Now()
			code, err := l.offerMailAt(from, screenPort)
			took := time.Since(began).Round(100 * time.Millisecond)
			l.t.Logf("csmail hangs: postscreen lets a client in after %v", took)
			if code != 250 || took > 15*time.Second {
				l.t.Errorf("csmail hangs: mail from %s is answered %d, %v after %v, want 250 within 15s", from, code, err, took)
			}
		})
	}
	group.Wait()
	l.await(time.Minute, "systemd restarts csmail, and postscreen refuses a banned client", isRefused)
	if now := strings.TrimSpace(l.sh("systemctl show -p MainPID --value csmail")); now == pid {
		l.t.Errorf("csmail is process %s, the one that hung", now)
	}
	if got := strings.TrimSpace(l.sh("systemctl show -p NRestarts --value csmail")); got != "1" {
		l.t.Errorf("systemd restarted csmail %s times, want once", got)
	}
	if out := l.sh("grep 'postscreen.*fatal' /var/log/mail.log || :"); out != "" {
		l.t.Errorf("postscreen gave up: %s", out)
	}
	l.sh("cp -p /root/master.cf /etc/postfix/master.cf; cp -p /root/csmail.yaml.local /etc/csmail/csmail.yaml.local; postfix reload; systemctl restart csmail")
}
