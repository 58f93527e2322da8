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
	inEveryForm(t, append(Honest(), Troubles()...))
}

func TestAttacksThatLookLikeOutages(t *testing.T) {
	inEveryForm(t, append(Outages(), Provoked()...))
}

// The hosts of a cluster trust each other less than those of one log: the same holds.
func TestHostsOfACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("the other forms are tested")
	}
	const judge = "\ncluster: {role: judge, servers: ['nats://127.0.0.1:1'], judges: [j1], edges: [mx1, mx2]}\n"
	for _, form := range Forms()[1:] { // with two hosts
		for _, s := range slices.Concat(Honest(), Troubles(), Outages(), Provoked()) {
			t.Run(form.Name+"/"+s.Name, func(t *testing.T) {
				t.Parallel()
				s := form.Put(s)
				s.Config += judge
				check(t, "strict", s)
			})
		}
	}
}

func inEveryForm(t *testing.T, all []Situation) {
	forms, sets := Forms(), []string{"balanced", "strict"}
	if testing.Short() {
		forms, sets = forms[:1], sets[:1]
	}
	for _, set := range sets {
		for _, form := range forms {
			for _, s := range all {
				t.Run(set+"/"+form.Name+"/"+s.Name, func(t *testing.T) {
					t.Parallel()
					check(t, set, form.Put(s))
				})
			}
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
	log := filepath.Join(t.TempDir(), "mail.log")
	write(t, log, s.Log.String())
	return backtestFiles(t, set, s.Config, log)
}

func backtestFiles(t *testing.T, set, settings string, logs ...string) []alert {
	t.Helper()
	config := filepath.Join(t.TempDir(), "csmail.yaml")
	write(t, config, settings+"\n")
	var out, complaint bytes.Buffer
	args := []string{"backtest", "-q", "-c", config, "-o", "json", "--scenarios", set}
	status := cli.Main(t.Context(), append(args, logs...), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &complaint})
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
