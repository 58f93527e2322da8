package tests

import (
	"os"
	"regexp"
	"testing"
)

// The image that the Dockerfile builds with has the Go that go.mod asks for.
func TestDockerfile(t *testing.T) {
	find := func(file, pattern string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s holds no %s", file, pattern)
		}
		return string(found[1])
	}
	wanted := find("../go.mod", `(?m)^go (\d+\.\d+)`)
	if got := find("../Dockerfile", `(?m)^ARG GO_IMAGE=golang:(\S+)$`); got != wanted {
		t.Errorf("the Dockerfile builds with Go %s, go.mod asks for %s", got, wanted)
	}
}
