package situations

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"csmail/pkg/cli"
)

// alert is what csmail backtest -o json prints of one.
type alert struct {
	Scenario, Scope, Value, Verdict, Reason string
}

func TestNobodyInnocentIsBanned(t *testing.T) {
	for _, set := range []string{"balanced", "strict"} {
		for _, s := range Honest() {
			t.Run(set+"/"+s.Name, func(t *testing.T) { check(t, set, s) })
		}
	}
}

func TestAttacksThatLookLikeOutages(t *testing.T) {
	for _, set := range []string{"balanced", "strict"} {
		for _, s := range Outages() {
			t.Run(set+"/"+s.Name, func(t *testing.T) { check(t, set, s) })
		}
	}
}

func check(t *testing.T, set string, s Situation) {
	alerts := backtest(t, set, s)
	held := false
	banned := map[string]bool{}
	for _, a := range alerts {
		held = held || a.Verdict == "hold"
		if a.Verdict != "ban" {
			continue
		}
		hit := slices.ContainsFunc(s.Attackers, func(ip string) bool { return covers(a, ip) })
		if !hit {
			t.Errorf("wrong ban: %+v", a)
		}
		for _, ip := range s.Attackers {
			if covers(a, ip) {
				banned[ip] = true
			}
		}
	}
	for _, ip := range s.Attackers {
		if !banned[ip] {
			t.Errorf("attacker %s is not banned", ip)
		}
	}
	if s.Held && !held {
		t.Error("nothing is held, so nobody sees what was spared")
	}
}

func covers(a alert, ip string) bool {
	addr := netip.MustParseAddr(ip)
	if p, err := netip.ParsePrefix(a.Value); err == nil {
		return p.Contains(addr)
	}
	return a.Value == addr.String()
}

func backtest(t *testing.T, set string, s Situation) []alert {
	t.Helper()
	dir := t.TempDir()
	config, log := filepath.Join(dir, "csmail.yaml"), filepath.Join(dir, "mail.log")
	write(t, config, s.Config+"\n")
	write(t, log, s.Log.String())
	var out, complaint bytes.Buffer
	status := cli.Main(t.Context(), []string{"backtest", "-q", "-c", config, "-o", "json", "--scenarios", set, log},
		cli.Streams{In: strings.NewReader(""), Out: &out, Err: &complaint})
	if status != 0 {
		t.Fatalf("status %d: %s", status, complaint.String())
	}
	var got struct{ Alerts []alert }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return got.Alerts
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
