//go:build e2e

package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The shells ask for values as they do when a person presses the tab key. Each script gets
// the words in $1 and writes what the shell offers. zsh completes only at a terminal, which
// its module zpty gives; it is asked until it shows the value $2, or for half a minute.
var shellScripts = map[string]string{
	"bash": `source /usr/share/bash-completion/bash_completion; source csmail.bash
read -ra COMP_WORDS <<<"$1"; [[ $1 == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
__start_csmail; printf '%s\n' "${COMPREPLY[@]}"`,
	"fish": `source csmail.fish; complete -C "$argv[1]"`,
	"zsh": `zmodload zsh/zpty
typeset all out
zpty z zsh -f -i
zpty -w z "PS1='> '; fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D; stty cols 200 rows 50; print ready-$((6*7))"
for i in {1..60}; do
	while zpty -r -t z out; do all+=$out; done
	[[ $all == *ready-42*'> '* ]] && break
	sleep 0.5
done
all=
zpty -w -n z "$1"$'\t\t'
for i in {1..60}; do
	while zpty -r -t z out; do all+=$out; done
	[[ $all == *$2* ]] && break
	sleep 0.5
done
zpty -d z
print -r -- "$all"`,
}

// Completion works in the real shells.
func TestShells(t *testing.T) {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "csmail"), "../cmd/csmail")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for shell, name := range map[string]string{"bash": "csmail.bash", "fish": "csmail.fish", "zsh": "_csmail"} {
		script, err := exec.Command(filepath.Join(dir, "csmail"), "completion", shell).Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), script, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for shell, args := range map[string][]string{"bash": {"--norc", "-c"}, "fish": {"--no-config", "-c"}, "zsh": {"-f", "-c"}} {
		for words, want := range map[string]string{
			"csmail scan --by ":            "country",
			"csmail scan --sort la":        "last",
			"csmail scenarios show auth-b": "auth-bf",
			"csmail enforce ":              "status",
			"csmail scan --si":             "--since",
		} {
			t.Run(shell+" "+words, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				defer cancel()
				run := args
				if shell != "fish" { // $0
					run = append(run[:len(run):len(run)], shellScripts[shell], shell, words, want)
				} else {
					run = append(run[:len(run):len(run)], shellScripts[shell], words)
				}
				cmd := exec.CommandContext(ctx, shell, run...)
				cmd.Dir = dir
				cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir, "TERM=dumb", "LC_ALL=C.UTF-8"}
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), want) {
					t.Errorf("%v; got %q, want %q offered", err, out, want)
				}
			})
		}
	}
}
