// Program prometheus has Prometheus's own parser read csmail's alert rules and the
// expressions of its Grafana dashboard, as promtool check rules does, and ends with
// status 1 if one of them is wrong. It is a module of its own, so that csmail does not
// depend on Prometheus's source. What the metrics are called is tested in pkg/daemon.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

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
	if err = errors.Join(err, other); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d alert rules and %d expressions of the dashboard are good\n", rules, expressions)
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
