package cli

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionOfBuild(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "5599058aa31c0f1e2d3c4b5a69788796a5b4c3d2"}
	for name, tt := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"nothing recorded": {debug.BuildInfo{}, Release},
		"go test":          {debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, Release},
		"go install":       {debug.BuildInfo{Main: debug.Module{Version: "v0.2.0"}}, "0.2.0"},
		"checkout": {debug.BuildInfo{
			Main: debug.Module{Version: "v0.0.0-20261129085553-5599058aa31c"}, Settings: []debug.BuildSetting{commit, {Key: "vcs.modified", Value: "false"}},
		}, Release + "+5599058aa31c"},
		"modified checkout": {debug.BuildInfo{Settings: []debug.BuildSetting{commit, {Key: "vcs.modified", Value: "true"}}}, Release + "+5599058aa31c.modified"},
		"short revision":    {debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "55990"}}}, Release + "+55990"},
	} {
		if got := versionOf(&tt.info); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestPackagesSetTheVersion(t *testing.T) {
	defer func(was string) { Version = was }(Version)
	Version = "9.0.0"
	var out strings.Builder
	if status := Main(t.Context(), []string{"version"}, Streams{Out: &out, Err: &out}); status != exitOK || out.String() != "csmail 9.0.0\n" {
		t.Errorf("got status %d and %q, want 0 and %q", status, out.String(), "csmail 9.0.0\n")
	}
}
