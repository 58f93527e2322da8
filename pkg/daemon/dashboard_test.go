package daemon

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/yaml.v3"
)

// served are the metrics of /metrics with their labels. A histogram has three names.
func served(t *testing.T) map[string][]string {
	t.Helper()
	described := make(chan *prometheus.Desc, 1000)
	registry := newMetrics().registry
	registry.MustRegister(enforcementMetrics{})
	registry.Describe(described)
	close(described)
	form := regexp.MustCompile(`^Desc{fqName: "(\w+)".*variableLabels: {([^}]*)}}$`)
	all := map[string][]string{}
	for d := range described {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s is not understood", d)
		}
		labels := strings.Split(m[2], ",")
		all[m[1]] = labels
		if strings.HasSuffix(m[1], "_seconds") {
			all[m[1]+"_bucket"] = append(slices.Clone(labels), "le")
		}
	}
	return all
}

var (
	metricName = regexp.MustCompile(`\b((?:csmail|process|go)_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	matcher    = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"`)
	grouping   = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// target labels come from Prometheus, not from csmail.
var targetLabels = []string{"instance", "job"}

// checkExpression wants each metric and label of an expression to be served. A label in
// by() must be one of some metric there.
func checkExpression(t *testing.T, where, expression string, metrics map[string][]string) {
	t.Helper()
	known := slices.Clone(targetLabels)
	found := metricName.FindAllStringSubmatch(expression, -1)
	if len(found) == 0 && !strings.HasPrefix(expression, "up{") {
		t.Errorf("%s: got no metric in %q", where, expression)
	}
	for _, m := range found {
		labels, there := metrics[m[1]]
		if !there {
			t.Errorf("%s: %q is not served at /metrics", where, m[1])
		}
		known = append(known, labels...)
		for _, label := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels, label[1]) && !slices.Contains(targetLabels, label[1]) {
				t.Errorf("%s: %s has no label %q", where, m[1], label[1])
			}
		}
	}
	for _, group := range grouping.FindAllStringSubmatch(expression, -1) {
		for label := range strings.SplitSeq(group[1], ",") {
			if !slices.Contains(known, strings.TrimSpace(label)) {
				t.Errorf("%s: no metric of %q has the label %q", where, expression, label)
			}
		}
	}
}

// panel is what the test reads of a Grafana panel.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ Expr, RefID string }
}

// The dashboard shows what /metrics serves: each panel has an expression, its own number
// and its own place in the grid of 24 columns.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../config/grafana/csmail.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title, UID    string
		SchemaVersion int
		Panels        []panel
		Templating    struct{ List []struct{ Name, Type string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.Title != "csmail" || dashboard.UID == "" || dashboard.SchemaVersion < 36 || len(dashboard.Templating.List) != 2 {
		t.Errorf("got the title %q, uid %q, schema %d and %d variables, want a dashboard of Grafana 9 or newer", dashboard.Title, dashboard.UID, dashboard.SchemaVersion, len(dashboard.Templating.List))
	}
	metrics, shown := served(t), map[string]bool{}
	seen, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if seen[p.ID] {
			t.Errorf("%s: the number %d is another panel's", p.Title, p.ID)
		}
		seen[p.ID] = true
		checkPlace(t, p, taken)
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("%s: got no expression", p.Title)
		}
		for _, target := range p.Targets {
			checkExpression(t, p.Title, target.Expr, metrics)
			for _, m := range metricName.FindAllStringSubmatch(target.Expr, -1) {
				shown[strings.TrimSuffix(m[1], "_bucket")] = true
			}
		}
	}
	if len(shown) < 20 {
		t.Errorf("got %d metrics on the dashboard, want at least 20 of %d", len(shown), len(metrics))
	}
}

// checkPlace wants a panel within the grid, and on no cell of another.
func checkPlace(t *testing.T, p panel, taken map[[2]int]string) {
	t.Helper()
	g := p.GridPos
	if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
		t.Errorf("%s: got the place %+v, want one within 24 columns", p.Title, g)
	}
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			if other, is := taken[[2]int{x, y}]; is {
				t.Fatalf("%s lies on %s", p.Title, other)
			}
			taken[[2]int{x, y}] = p.Title
		}
	}
}

// The rules alert on what /metrics serves, and each says what is wrong and what shows more.
func TestAlertRules(t *testing.T) {
	text, err := os.ReadFile("../../config/prometheus/csmail.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	metrics, names := served(t), map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			checkExpression(t, r.Alert, r.Expr, metrics)
			if names[r.Alert] || !strings.HasPrefix(r.Alert, "Csmail") {
				t.Errorf("got the alert %q twice, or without csmail's name", r.Alert)
			}
			names[r.Alert] = true
			if s := r.Labels["severity"]; s != "warning" && s != "critical" {
				t.Errorf("%s: got the severity %q, want warning or critical", r.Alert, s)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: got %q, want a summary and a description", r.Alert, r.Annotations)
			}
		}
	}
	if len(names) < 10 {
		t.Errorf("got %d alerts, want at least 10", len(names))
	}
}

// A dashboard that names what is not served fails the test.
func TestCheckExpressionFinds(t *testing.T) {
	metrics := served(t)
	for _, expression := range []string{
		"csmail_gone", `csmail_alerts{lst="held"}`, "sum by (list) (csmail_tracked)", "1 + 1", "csmail_lines_bucket",
	} {
		probe := &testing.T{}
		checkExpression(probe, "probe", expression, metrics)
		if !probe.Failed() {
			t.Errorf("%q passes", expression)
		}
	}
}
