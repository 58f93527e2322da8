//go:build e2e

package tests

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What hubtest copies into each test's runtime folder; CrowdSec's hub has files of these
// names. It runs the programs in the folder of the test.
var hubTemplates = map[string]string{
	"template_config2.yaml": `common: {log_media: stdout, log_level: info}
config_paths:
  config_dir: ${TESTDIR}/runtime/
  data_dir: ${TESTDIR}/runtime/data/
  simulation_path: ${TESTDIR}/runtime/simulation.yaml
  hub_dir: ${TESTDIR}/runtime/hub/
  index_path: ${TESTDIR}/runtime/hub/.index.json
  notification_dir: ${TESTDIR}/runtime/notifications/
  plugin_dir: ${TESTDIR}/runtime/plugins/
crowdsec_service:
  acquisition_path: ${TESTDIR}/runtime/acquis.yaml
  parser_routines: 1
  buckets_routines: 1
  output_routines: 1
db_config:
  type: sqlite
  db_path: ${TESTDIR}/runtime/data/crowdsec.db
api:
  client:
    credentials_path: ${TESTDIR}/runtime/local_api_credentials.yaml
  server:
    listen_socket: ${TESTDIR}/runtime/lapi.sock
    profiles_path: ${TESTDIR}/runtime/profiles.yaml
prometheus: {enabled: false}
`,
	"template_simulation.yaml": "simulation: false\n",
	"template_profiles.yaml":   "name: none\nfilters: [\"false\"]\ndecisions: []\non_success: break\n",
	"template_acquis.yaml":     "filename: none\n",
}

// TestHubtest: CrowdSec's own test of hub items is green on the folder hub, in a checkout
// of the hub that is made of Debian's and of that folder.
func TestHubtest(t *testing.T) {
	checkout, err := os.MkdirTemp("", "csmail-hub-") // short: a socket's path has 108 bytes at the most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(checkout) })
	crowdsec, err := filepath.Abs("crowdsec")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{filepath.Join(crowdsec, "debian/usr/share/crowdsec/hub"), "../hub"} {
		if out, err := exec.Command("sh", "-ec", `mkdir -p "$1"; cp -rL "$0/." "$1/"; chmod -R u+w "$1"`, from, checkout).CombinedOutput(); err != nil {
			t.Fatalf("copying %s: %v\n%s", from, err, out)
		}
	}
	for name, text := range hubTemplates {
		if err := os.WriteFile(filepath.Join(checkout, ".tests", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	source, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/crowdsecurity/crowdsec").Output()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("config_paths: {config_dir: %[1]s, data_dir: %[1]s, pattern_dir: %[2]s}\n", t.TempDir(), filepath.Join(strings.TrimSpace(string(source)), "config", "patterns"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	bin := filepath.Join(crowdsec, "bin")
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "cscli"), "-c", config, "hubtest", "--hub", checkout, "--crowdsec", filepath.Join(bin, "crowdsec"), "--cscli", filepath.Join(bin, "cscli"),
		"run", "--all", "--report-success", "--clean")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("hubtest: %v\n%s", err, out)
	}
	tests, err := filepath.Glob("../hub/.tests/*")
	if err != nil || len(tests) < 18 {
		t.Fatalf("got the tests %q, %v, want at least 18", tests, err)
	}
	for _, test := range tests {
		if name := filepath.Base(test); !strings.Contains(string(out), name) {
			t.Errorf("hubtest did not run %s:\n%s", name, out)
		}
	}
}
