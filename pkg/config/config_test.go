package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"csmail/pkg/hint"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "csmail.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestLoad(t *testing.T) {
	c, err := load(t, "lapi:\n  credentials: /x\nguard:\n  allow: [192.0.2.9/24, 2001:db8::1]\n  relays: [\"::ffff:203.0.113.5\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.LAPI.Credentials, Prefixes(c.Guard.Allow), Prefixes(c.Guard.Relays)); got != "/x[192.0.2.0/24 2001:db8::1/128] [203.0.113.5/32]" {
		t.Errorf("got %s", got)
	}
	if c, err = load(t, ""); err != nil || c.LAPI.Credentials != "/etc/csmail/lapi_credentials.yaml" {
		t.Errorf("empty file: %+v, %v", c, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"lapy: {}":                       "line 1: field lapy not found",
		"guard:\n  allow: [192.0.2.300]": `line 2: "192.0.2.300" is neither an address nor a network`,
		"guard:\n  allow: [\"::ffff:203.0.113.0/120\"]": "write it as IPv4",
		"guard: [": "yaml",
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%q: error %v", text, err)
		}
	}
	if _, err := Load("/nonexistent/csmail.yaml"); err == nil {
		t.Error("a named file that is missing is no error")
	}
}
