// Program prometheus has Prometheus's own parser read csmail's alert rules and the
// expressions of its Grafana dashboard, as promtool check rules does, has the dashboard
// read strictly by the types that Grafana generates from its schema (grafana-foundation-sdk:
// an unknown key, a wrong type or an unknown option of a panel is an error), and ends with
// status 1 if one of them is wrong. It is a module of its own, so that csmail does not
// depend on Prometheus's and Grafana's source. What the metrics are called is tested in
// pkg/daemon.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: prometheus RULES DASHBOARD")
		os.Exit(2)
	}
	rules, err := checkRules(os.Args[1])
	expressions, other := checkDashboard(os.Args[2])
	panels, unlike := checkSchema(os.Args[2])
	if err = errors.Join(err, other, unlike); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d alert rules, %d panels and %d expressions of the dashboard are good\n", rules, panels, expressions)
}

// checkRules returns how many rules a file has, and what is wrong with them.
func checkRules(path string) (count int, err error) {
	groups, problems := rulefmt.ParseFile(path, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(problems) > 0 {
		return 0, errors.Join(problems...)
	}
	for _, g := range groups.Groups {
		count += len(g.Rules)
	}
	if count == 0 {
		return 0, fmt.Errorf("%s holds no rule", path)
	}
	return count, nil
}

// grafana puts in what Grafana would for its variables.
var grafana = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")

// checkDashboard returns how many expressions a dashboard has, and what is wrong with them.
func checkDashboard(path string) (count int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			count++
			if _, bad := parser.NewParser(parser.Options{}).ParseExpr(grafana.Replace(target.Expr)); bad != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w in %q", p.Title, bad, target.Expr))
			}
		}
	}
	if count == 0 {
		err = fmt.Errorf("%s holds no expression", path)
	}
	return count, err
}

// checkSchema returns how many panels a dashboard has, and how it differs from Grafana's
// schema.
func checkSchema(path string) (panels int, err error) {
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var d dashboard.Dashboard
	for _, problem := range []error{d.UnmarshalJSONStrict(text), d.Validate()} {
		if problem != nil && problem.Error() != "" { // an empty list of errors is one, too
			err = errors.Join(err, fmt.Errorf("%s: %w", path, problem))
		}
	}
	return len(d.Panels), err
}
