package cli

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// Release is the version of the source, or of the next release.
const Release = "0.1.0"

// Version replaces the version that the build names. packaging/build.sh sets it to the
// package's by -ldflags "-X csmail/pkg/cli.Version=1.2.3"; "" in any other build.
var Version = ""

// version returns csmail's version: the package's, else the one that the Go toolchain recorded.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(Version, Release)
	}
	return cmp.Or(Version, versionOf(info))
}

// versionOf returns the version that a build records. A module from a proxy has its
// tag, for example v0.2.0 after go install csmail/cmd/csmail@v0.2.0. A checkout has a
// commit, which follows the release after a plus sign as Semantic Versioning 2.0.0
// (section 10) has it, for example 0.1.0+5599058aa31c; files that were not committed
// add ".modified". A build that records neither (-buildvcs=false, go test) is the
// plain release.
func versionOf(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		version := Release + "+" + revision[:min(len(revision), 12)]
		if settings["vcs.modified"] == "true" {
			version += ".modified"
		}
		return version
	}
	if tag, ok := strings.CutPrefix(info.Main.Version, "v"); ok {
		return tag
	}
	return Release
}

// newVersion returns csmail version.
func newVersion(std Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noCommand,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(std.Out, "csmail %s\n", version())
			return err
		},
	}
}
