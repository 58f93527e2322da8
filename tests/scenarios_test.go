package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"csmail/pkg/scenario"
	"csmail/pkg/scenario/check"
	"csmail/scenarios"
)

// Every scenario that csmail brings along has a description for people, passes the
// hub's linter, stands in a set, and overflows where its test logs say so and
// nowhere else.
func TestShippedScenarios(t *testing.T) {
	logs, err := fs.Sub(scenarios.Logs, "tests")
	if err != nil {
		t.Fatal(err)
	}
	files, err := check.Files(scenarios.Files, ".")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	strict, _ := scenarios.Paths("strict")
	if len(strict) != len(files) {
		t.Errorf("%d files are shipped, %d in the set strict, which holds all", len(files), len(strict))
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			findings, err := check.File(scenarios.Files, file, file)
			if err != nil || len(findings) > 0 {
				t.Error(findings, err)
			}
			if text, err := os.ReadFile(filepath.Join("../scenarios", strings.TrimSuffix(file, ".yaml")+".md")); err != nil || len(text) < 100 {
				t.Errorf("no .md that says anything: %v", err)
			}
			set, err := scenario.Load(scenarios.Files, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range set.Scenarios() {
				runs, err := check.Logs(set, s.Name, logs)
				if lack := check.Missing(runs); err != nil || lack != "" {
					t.Errorf("%s: %s, %v", s.Name, lack, err)
				}
				for _, r := range runs {
					if !r.Passed() {
						t.Errorf("%d overflows in %s", r.Overflows, r.Log)
					}
				}
			}
		})
	}
}

// No folder of test logs is left behind by a scenario that is gone.
func TestTestLogsHaveScenarios(t *testing.T) {
	folders, err := scenarios.Logs.ReadDir("tests")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if _, err := scenarios.Files.Open("csmail/" + folder.Name() + ".yaml"); err != nil {
			t.Errorf("test logs of %s: %v", folder.Name(), err)
		}
	}
}
