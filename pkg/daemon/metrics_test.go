package daemon

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestMetricsAreDocumented wants each of our metrics, with its help and labels, in
// docs/metrics.md, and nothing there that is none.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	described := make(chan *prometheus.Desc, 1000)
	all := newMetrics()
	registry := all.registry
	all.cluster.register(registry)
	registry.MustRegister(enforcementMetrics{})
	registry.Describe(described)
	close(described)
	form := regexp.MustCompile(`^Desc{fqName: "(csmail_\w+)", help: "([^"]+)".*constLabels: {}, variableLabels: {([^}]*)}}$`)
	found := 0
	for d := range described {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			continue // Go's own
		}
		found++
		labels := ""
		if m[3] != "" {
			labels = "`" + strings.ReplaceAll(m[3], ",", "`, `") + "`"
		}
		if row := "| `" + m[1] + "` | " + labels + " | " + m[2] + " |"; !strings.Contains(string(text), row) {
			t.Errorf("docs/metrics.md lacks %s", row)
		}
	}
	if rows := strings.Count(string(text), "| `csmail_"); rows != found || found == 0 {
		t.Errorf("%d metrics, %d rows", found, rows)
	}
}
