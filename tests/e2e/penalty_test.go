//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/tests/lapitest"
)

// TestPenalty attacks Dovecot with its delays against guessing as they are shipped,
// and with its penalty switched off as its documentation says. Both make Dovecot or
// Postfix log errors that no outage causes. The attackers must be banned all the same,
// by csmail run while they attack and by csmail backtest afterwards, and nobody else.
func TestPenalty(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*besieged) error
		errors  string // that the log must hold
		times   int    // at least: else the test proves nothing
	}{
		{"as shipped", func(*besieged) error { return nil }, "SASL PLAIN authentication failed: Connection lost to authentication server", 2},
		{"penalty off", (*besieged).restartAuth, "auth: Error: net_connect_unix(anvil-auth-penalty) failed: ", 1 + dovecotReloads},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBesieged(t)
			if err := tt.prepare(b); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			b.withstand()
			t.Logf("the attack took %s", time.Since(began).Round(time.Second))
			if got := bytes.Count(b.text(), []byte(tt.errors)); got < tt.times {
				t.Errorf("the log holds %q %d times, want at least %d", tt.errors, got, tt.times)
			}
			b.mustBeDecided()
			for _, set := range []string{"balanced", "strict"} {
				t.Run(set, func(t *testing.T) { b.mustBackTest(t, set) })
			}
			if t.Failed() {
				t.Logf("log:\n%s", b.text())
			}
		})
	}
}

// besieged is a mail host under attack, with csmail reading along.
type besieged struct {
	*lab
	t      *testing.T
	csmail *running
}

func newBesieged(t *testing.T) *besieged {
	t.Helper()
	dir, err := os.MkdirTemp("", "csmail-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	b := &besieged{lab: &lab{dir: dir, setup: setup{Delays: true}, clients: newSiege()}, t: t}
	t.Cleanup(func() {
		if err := b.lab.close(nil); err != nil {
			t.Error(err)
		}
	})
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	b.csmail = newRunning(t, buildProgram(t), startLAPI(t, lapitest.Current))
	if err := b.log.writeTo(b.csmail.log); err != nil {
		t.Fatal(err)
	}
	b.csmail.start()
	t.Cleanup(b.csmail.stop)
	return b
}

const dovecotReloads = 2

// restartAuth switches the penalty off and has Dovecot restart its auth process some
// times, with a user's login in between.
func (b *besieged) restartAuth() error {
	user := b.clients[slices.IndexFunc(b.clients, func(c *Client) bool { return !c.Hostile })]
	if err := b.switchPenaltyOff(); err != nil {
		return err
	}
	for range dovecotReloads {
		if err := user.visit(portIMAP, "alice"); err != nil {
			return err
		}
		if err := b.server.reloadDovecot(); err != nil {
			return err
		}
	}
	return nil
}

// withstand lets the clients act.
func (b *besieged) withstand() {
	b.t.Helper()
	if err := b.play(); err != nil {
		b.t.Fatalf("%v\nlog:\n%s", err, b.text())
	}
	if err := b.settle(); err != nil {
		b.t.Fatalf("%v\nlog:\n%s", err, b.text())
	}
}

// mustBeDecided: the LAPI has a decision on each attacker and on nobody else.
func (b *besieged) mustBeDecided() {
	b.t.Helper()
	want := decided(b.clients)
	var got []string
	b.csmail.await("each attacker is banned", func() bool {
		got = sources(decisions(b.t, b.csmail.lapi))
		return len(got) >= len(want)
	})
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("decisions (-hostile clients +crowdsec):\n%s", diff)
	}
}

// mustBackTest: csmail backtest would have banned each attacker and nobody else.
func (b *besieged) mustBackTest(t *testing.T, set string) {
	var report struct {
		Alerts []struct{ Value, Verdict string }
	}
	config := filepath.Join(t.TempDir(), "csmail.yaml")
	write(t, filepath.Dir(config), "csmail.yaml", nil)
	write(t, filepath.Dir(config), "main.cf", []byte("mynetworks = 127.0.0.0/8 [::1]/128\n"))
	out, err := csmailCommand(b.csmail.program, config, "backtest", "-q", "-o", "json", "--scenarios", set, b.csmail.log).Output()
	if exit, ok := err.(*exec.ExitError); ok {
		t.Fatalf("csmail backtest: %v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, a := range report.Alerts {
		if a.Verdict == "ban" && !slices.Contains(got, a.Value) {
			got = append(got, a.Value)
		}
	}
	for _, c := range b.clients {
		if c.Hostile {
			want = append(want, banned(c))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("banned (-hostile clients +csmail):\n%s\nalerts: %s", diff, strings.ReplaceAll(string(out), "},{", "},\n{"))
	}
}
