//go:build e2e

package install

import (
	"strings"
	"testing"
	"time"
)

// registrationToken lets machines register themselves at the LAPI.
const registrationToken = "a-token-of-thirty-two-characters"

// autoRegistration is what the administrator of the LAPI adds to its configuration.
const autoRegistration = `api:
  server:
    listen_uri: 0.0.0.0:8080
    auto_registration:
      enabled: true
      token: ` + registrationToken + `
      allowed_ranges: [192.0.2.0/24]
`

// elsewhere is a host whose LAPI is another one's: there is no cscli on it.
type elsewhere struct{ *life }

// newElsewhere boots a host. The LAPI runs there too, but csmail knows it by an address of
// the network alone, and cscli lies where csmail does not look.
func newElsewhere(t *testing.T, deb string) *elsewhere {
	h := newHost(t, "bookworm")
	h.putCrowdSec()
	h.put("/etc/crowdsec/config.yaml.local", autoRegistration, 0o600)
	h.copy(deb, "/root/csmail.deb")
	h.boot()
	h.startCrowdSec()
	h.must("mv", "/usr/bin/cscli", "/root/cscli")
	h.must("apt-get", "install", "-y", "--no-install-recommends", "/root/csmail.deb")
	return &elsewhere{&life{host: h}}
}

// machines are the names of those that the LAPI knows, but for the agent's.
func (e *elsewhere) machines() (names []string) {
	e.t.Helper()
	for line := range strings.Lines(e.must("/root/cscli", "machines", "list", "-o", "raw")) {
		if name, _, _ := strings.Cut(line, ","); strings.HasPrefix(name, "csmail") {
			names = append(names, name)
		}
	}
	return names
}

// setUp connects csmail with the LAPI, and waits until it is registered there.
func (e *elsewhere) setUp() {
	e.t.Helper()
	e.must("csmail", "setup", "--yes", "--live", "--lapi", "http://"+serverAddr+":8080", "--token", registrationToken)
	e.await(time.Minute, "the machine is registered", func() bool { return len(e.machines()) == 1 })
}

// undo: nothing is left here or there.
func (e *elsewhere) undo() {
	e.setUp()
	e.wantLevels("with a LAPI elsewhere", map[string]string{}, "")
	e.must("csmail", "setup", "--undo", "--yes")
	if got := e.machines(); len(got) > 0 {
		e.t.Errorf("after the undo the LAPI knows %q", got)
	}
	if out := e.sh("find /etc/csmail /var/lib/csmail -type f ! -name csmail.yaml ! -name 'csmail.db*'"); out != "" {
		e.t.Errorf("the undo left\n%s", out)
	}
	if e.holds("systemctl is-active csmail") {
		e.t.Error("after the undo csmail runs")
	}
}

// health is what /healthz answers.
func (e *elsewhere) health() string {
	e.t.Helper()
	out, _ := e.run("bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/60602 && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && cat <&3`)
	return out
}

// wantRed waits until csmail status and /healthz both say what is wrong.
func (e *elsewhere) wantRed(limit time.Duration, what string) {
	e.t.Helper()
	e.await(limit, "status and healthz say "+what, func() bool {
		out, err := e.run("csmail", "status")
		health := e.health()
		return err != nil && strings.Contains(out, what) && strings.Contains(health, "503") && strings.Contains(health, what)
	})
}

// red: a source that goes away and a LAPI that refuses csmail are seen, at csmail status
// and at /healthz, and so is the end of it.
func (e *elsewhere) red() {
	e.sh("logger -p mail.info -t postfix/smtpd hello")
	e.await(time.Minute, "there is a mail log", func() bool { return e.holds("test -s /var/log/mail.log") })
	e.setUp()
	e.sh(`printf 'prometheus: {enabled: true}\nsources: [{source: file, filenames: [/var/log/mail.log]}]\n' >>/etc/csmail/csmail.yaml.local; systemctl restart csmail`)
	green := func() bool { return e.holds("csmail status") && strings.Contains(e.health(), " 200 ") }
	e.await(2*time.Minute, "all is well", green)

	// The LAPI is called away for two minutes before it counts, so that comes first.
	e.must("/root/cscli", "machines", "delete", e.machines()[0])
	e.must("systemctl", "restart", "csmail")
	e.must("mv", "/var/log/mail.log", "/root/mail.log")
	e.wantRed(2*time.Minute, "/var/log/mail.log is not there")
	e.must("mv", "/root/mail.log", "/var/log/mail.log")
	e.wantRed(5*time.Minute, "lapi refused us")
	if out, _ := e.run("csmail", "check", "--nagios"); !strings.HasPrefix(out, "CSMAIL CRITICAL - ") || !strings.Contains(out, "lapi refused us") {
		e.t.Errorf("csmail check --nagios says %.300q", out)
	}

	e.sh("rm /var/lib/csmail/lapi_credentials.yaml; systemctl restart csmail") // it registers anew
	e.await(2*time.Minute, "all is well again", green)
}

// testElsewhere runs beside the lives of csmail, since it waits most of the time.
func testElsewhere(t *testing.T, deb string) {
	t.Parallel()
	e := newElsewhere(t, deb)
	for _, stage := range []struct {
		name string
		run  func()
	}{{"undo", e.undo}, {"red", e.red}} {
		began := time.Now()
		ok := t.Run(stage.name, func(t *testing.T) {
			defer func(before *testing.T) { e.t = before }(e.t)
			e.t = t
			stage.run()
			if t.Failed() {
				t.Log(e.story())
			}
		})
		t.Logf("%s: %v", stage.name, time.Since(began).Round(100*time.Millisecond))
		if !ok {
			break
		}
	}
}
