//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"csmail/tests/lapitest"
)

// csmail is the built program and a folder with the logs of one recording.
type csmail struct {
	program, dir string
	rec          *recording
}

const (
	logRFC3164 = "mail-rfc3164.log"
	logRFC3339 = "mail-rfc3339.log"
	journal    = "mail.journal"
)

// TestScan attacks real servers and looks at what csmail makes of their logs,
// and what a real CrowdSec then holds.
func TestScan(t *testing.T) {
	c := build(t, mustRecord(t, clients(), setup{}))
	write(t, c.dir, logRFC3164, formatLines(c.rec.lines, logLine.rfc3164))
	write(t, c.dir, logRFC3339, formatLines(c.rec.lines, logLine.rfc3339))
	if err := writeJournal(filepath.Join(c.dir, journal), c.rec.lines); err != nil {
		t.Fatal(err)
	}
	t.Run("banned", c.testBanned)
	t.Run("same in every form", c.testForms)
	t.Run("own log files", c.testOwnLogs)
	for _, release := range []lapitest.Release{lapitest.Current, lapitest.Legacy} {
		t.Run("push to crowdsec "+string(release), func(t *testing.T) { c.testPush(t, release) })
	}
}

// build builds csmail, with a Postfix configuration that names the lab's networks
// and not this machine's.
func build(t *testing.T, rec *recording) *csmail {
	t.Helper()
	c := &csmail{program: buildProgram(t), dir: t.TempDir(), rec: rec}
	write(t, c.dir, "main.cf", []byte("mynetworks = 127.0.0.0/8 [::1]/128\n"))
	return c
}

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// scan runs csmail scan with an otherwise empty configuration.
func (c *csmail) scan(t *testing.T, credentials string, args ...string) string {
	t.Helper()
	config := "lapi:\n  credentials: " + credentials + "\n"
	if credentials == "" {
		config = ""
	}
	write(t, c.dir, "csmail.yaml", []byte(config))
	cmd := exec.Command(c.program, append([]string{"scan", "-c", filepath.Join(c.dir, "csmail.yaml"), "-o", "raw"}, args...)...)
	cmd.Dir = c.dir
	// postconf reads the main.cf of build.
	cmd.Env = append(os.Environ(), "TZ=UTC", "MAIL_CONFIG="+c.dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("csmail scan %v: %v\n%s", args, err, stderr.Bytes())
	}
	return stdout.String()
}

// hostile is what -o raw must print, one address a line, in the order of sort(1).
func (r *recording) hostile() string {
	var addrs []string
	for _, c := range r.clients {
		if c.Hostile {
			addrs = append(addrs, c.Addr.String()+"\n")
		}
	}
	slices.Sort(addrs)
	return strings.Join(addrs, "")
}

func (c *csmail) testBanned(t *testing.T) {
	if diff := cmp.Diff(c.rec.hostile(), c.scan(t, "", "--banned", logRFC3164)); diff != "" {
		t.Errorf("banned sources (-hostile clients +csmail):\n%s\nlog:\n%s", diff, formatLines(c.rec.lines, logLine.rfc3164))
	}
}

// testForms: the same lines give the same sources, whoever wrote them down.
func (c *csmail) testForms(t *testing.T) {
	for _, options := range [][]string{nil, {"--count"}, {"--banned"}} {
		want := c.scan(t, "", append(options, logRFC3164)...)
		for _, form := range [][]string{{logRFC3339}, {"--journal-file", journal}} {
			args := slices.Concat(options, form)
			if diff := cmp.Diff(want, c.scan(t, "", args...)); diff != "" {
				t.Errorf("scan %v (-RFC 3164 +this):\n%s", args, diff)
			}
		}
		for _, never := range []string{victim, victimV6, serverV4, serverV6, refusingV4, refusingV6} {
			if slices.Contains(strings.Fields(want), never) {
				t.Errorf("scan %v names %s, which never connected", options, never)
			}
		}
	}
}

// testOwnLogs: the daemons' own files, read together.
func (c *csmail) testOwnLogs(t *testing.T) {
	rec := mustRecord(t, clients(), setup{OwnLogs: true})
	write(t, c.dir, "postfix-own.log", rec.postfixOwn)
	write(t, c.dir, "dovecot-own.log", rec.dovecotOwn)
	got := c.scan(t, "", "--banned", "postfix-own.log", "dovecot-own.log")
	if diff := cmp.Diff(rec.hostile(), got); diff != "" {
		t.Errorf("banned sources (-hostile clients +csmail):\n%s", diff)
	}
}

// testPush: CrowdSec holds a decision on each hostile client and on nobody else,
// and pushing the same log again adds nothing.
func (c *csmail) testPush(t *testing.T, release lapitest.Release) {
	server := startLAPI(t, release)
	credentials, err := server.AddMachine(t.Context(), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	c.scan(t, credentials, "--push", logRFC3164)
	first, alerts := decisions(t, server), alertCount(t, server)
	if diff := cmp.Diff(decided(c.rec.clients), sources(first)); diff != "" {
		t.Errorf("decisions (-hostile clients +crowdsec):\n%s", diff)
	}
	c.scan(t, credentials, "--push", logRFC3164)
	if diff := cmp.Diff(sources(first), sources(decisions(t, server))); diff != "" {
		t.Errorf("decisions after pushing again (-first +second):\n%s", diff)
	}
	if again := alertCount(t, server); again != alerts {
		t.Errorf("%d alerts after pushing again, %d before", again, alerts)
	}
}

func startLAPI(t *testing.T, release lapitest.Release) *lapitest.Server {
	t.Helper()
	options, err := lapitest.Find(release)
	if err != nil {
		t.Fatal(err)
	}
	return startLAPIWith(t, options)
}

func startLAPIWith(t *testing.T, options lapitest.Options) *lapitest.Server {
	t.Helper()
	server, err := lapitest.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func decisions(t *testing.T, server *lapitest.Server) []lapitest.Decision {
	t.Helper()
	list, err := server.Decisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// alertCount counts what cscli decisions list would fold into one.
func alertCount(t *testing.T, server *lapitest.Server) int {
	t.Helper()
	out, err := server.Cscli(context.WithoutCancel(t.Context()), "alerts", "list", "--limit", "0", "-o", "raw")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(out, "\n")
}

// decided is the decisions that are expected. An IPv6 client stands for its /64.
func decided(clients []*Client) []string {
	var want []string
	for _, c := range clients {
		if c.Hostile {
			want = append(want, "ban "+block(netip.PrefixFrom(c.Addr, c.Addr.BitLen())))
		}
	}
	slices.Sort(want)
	return want
}

func sources(list []lapitest.Decision) []string {
	var got []string
	for _, d := range list {
		got = append(got, d.Type+" "+sourceOf(d))
	}
	slices.Sort(got)
	return got
}

func sourceOf(d lapitest.Decision) string {
	if prefix, err := netip.ParsePrefix(d.Value); err == nil {
		return block(prefix)
	}
	addr, err := netip.ParseAddr(d.Value)
	if err != nil {
		return fmt.Sprintf("%s %q", d.Scope, d.Value)
	}
	return block(netip.PrefixFrom(addr, addr.BitLen()))
}

// block widens an IPv6 address to its /64: whether csmail bans the address or
// its /64 is not these tests' matter, as each client has a /64 of its own.
func block(p netip.Prefix) string {
	if p.Addr().Is6() && p.Bits() > 64 {
		p = netip.PrefixFrom(p.Addr(), 64)
	}
	return p.Masked().String()
}
