//go:build e2e

package install

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// firstBan is how long the way from the first command to the first ban may take.
const firstBan = 2 * time.Minute

// TestLife is the life of csmail on Debian 12.
func TestLife(t *testing.T) {
	h := newHost(t, "bookworm")
	h.putCrowdSec()
	h.copy(buildPackage(t, ""), "/root/csmail.deb")
	h.boot()
	h.sh(`useradd -m alice; echo alice:right | chpasswd`)
	h.startCrowdSec()

	began := time.Now()
	h.must("apt-get", "install", "-y", "--no-install-recommends", "/root/csmail.deb")
	t.Log(h.must("csmail", "setup", "--yes", "--live"))
	h.outside.guessIMAP(t, "203.0.113.7", "alice", 8)
	h.awaitBan("203.0.113.7")
	took := time.Since(began)
	t.Logf("from the first command to the first ban: %v", took.Round(time.Second))
	if took > firstBan {
		t.Errorf("the first ban came after %v, want %v", took, firstBan)
	}
}

// decision is a line of cscli decisions list.
type decision struct {
	Value, Scenario, Type string
}

// bans are the decisions that cscli shows.
func (h *host) bans() map[string]string {
	h.t.Helper()
	out, err := h.run("cscli", "decisions", "list", "-o", "json")
	if err != nil {
		h.t.Fatalf("cscli decisions list: %v\n%s", err, out)
	}
	var alerts []struct{ Decisions []decision }
	if start := strings.IndexByte(out, '['); start >= 0 {
		if err := json.Unmarshal([]byte(out[start:]), &alerts); err != nil {
			h.t.Fatalf("cscli decisions list: %v\n%s", err, out)
		}
	}
	found := map[string]string{}
	for _, a := range alerts {
		for _, d := range a.Decisions {
			found[d.Value] = d.Type + " " + d.Scenario
		}
	}
	return found
}

// awaitBan waits until cscli shows a ban by csmail on an address.
func (h *host) awaitBan(addr string) {
	h.t.Helper()
	h.await(90*time.Second, addr+" is banned", func() bool { return strings.HasPrefix(h.bans()[addr], "ban csmail/") })
}
