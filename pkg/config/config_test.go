package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"csmail/pkg/hint"
)

// load reads text as csmail.yaml, with local as csmail.yaml.local unless empty.
func load(t *testing.T, text, local string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "csmail.yaml")
	for name, content := range map[string]string{path: text, path + ".local": local} {
		if name != path && content == "" {
			continue
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(path)
}

func TestLoad(t *testing.T) {
	c, err := load(t, "lapi:\n  credentials: /x\nguard:\n  allow: [192.0.2.9/24, 2001:db8::1]\n  relays: [\"::ffff:203.0.113.5\"]\n", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.LAPI.Credentials, Prefixes(c.Guard.Allow), Prefixes(c.Guard.Relays)); got != "/x[192.0.2.0/24 2001:db8::1/128] [203.0.113.5/32]" {
		t.Errorf("got %s", got)
	}
	if c, err = load(t, "", ""); err != nil || c.LAPI.Credentials != "/etc/csmail/lapi_credentials.yaml" || c.Scenarios[0] != "balanced" {
		t.Errorf("empty file: %+v, %v, want Credentials /etc/csmail/lapi_credentials.yaml, Scenarios balanced", c, err)
	}
}

func TestLocalFileIsLaidOver(t *testing.T) {
	c, err := load(t, "guard: {allow: [192.0.2.1], bans_per_hour: 7}\nscenarios: [strict]\n", "guard: {allow: [192.0.2.2]}\nhistory: 7d\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(Prefixes(c.Guard.Allow), c.Guard.BansPerHour, c.Scenarios, c.History); got != "[192.0.2.2/32] 7 [strict] 7d" {
		t.Errorf("got %s", got)
	}
}

func TestVariables(t *testing.T) {
	t.Setenv("CSMAIL_TEST_KEY", "secret")
	c, err := load(t, "lapi: {bouncer_key: \"${CSMAIL_TEST_KEY}\", url: \"$CSMAIL_TEST_UNSET\"} # $", "")
	if err != nil || c.LAPI.BouncerKey != "secret" || c.LAPI.URL != "$CSMAIL_TEST_UNSET" {
		t.Fatalf("got %+v, %v, want BouncerKey secret, URL $CSMAIL_TEST_UNSET", c.LAPI, err)
	}
	text, err := c.YAML()
	if err != nil || strings.Contains(string(text), "secret\n") || !strings.Contains(string(text), "bouncer_key: '********'") {
		t.Errorf("the secret shows, or not even its mask:\n%s%v, want it without %q, it to contain \"bouncer_key: '********'\"",
			text, err, "secret\n")
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"lapy: {}":                         `line 1: unknown key "lapy"`,
		"guard:\n  allow: 192.0.2.1":       `line 2: "192.0.2.1" stands where a list is wanted`,
		"scenarios: strict":                `line 1: "strict" stands where a list is wanted`,
		"lapi: {simulate: maybe}":          `line 1: "maybe" stands where true or false is wanted`,
		"lapi: [x]":                        "line 1: a list stands where a group of keys is wanted",
		"log_level: {x: 1}":                "line 1: a group of keys stands where a text is wanted",
		"guard: {typing: many}":            `line 1: "many" stands where a number is wanted`,
		"- a":                              "line 1: a list stands where a group of keys is wanted",
		"prometheus: {listen_port: 99999}": "prometheus.listen_port 99999: must be from 1 to 65535",
		"sources: [{source: syslog, listen_port: 70000}]": "sources, number 1: listen_port 70000",
		"guard:\n  allow: [192.0.2.300]":                  `line 2: "192.0.2.300" is neither an address nor a network`,
		"guard:\n  allow: [\"::ffff:203.0.113.0/120\"]":   "write it as IPv4",

		"guard: [":                                  "yaml",
		"history: soon":                             `line 1: "soon" is no duration`,
		"lapi: {decisions: mine}":                   `lapi.decisions "mine": must be profiles or explicit`,
		"lapi: {duration: 0s}":                      "lapi.duration 0s",
		"log_level: loud":                           `log_level "loud"`,
		"scenarios: []":                             "nobody would ever be banned",
		"guard: {allow_names: [192.0.2.0/24]}":      `guard.allow_names "192.0.2.0/24": is an address, no name`,
		"guard: {allow_names: [localhost]}":         `guard.allow_names "localhost": is no host name`,
		"guard: {allow_names: [\"*.example.org\"]}": `guard.allow_names "*.example.org": is no host name`,
		"guard: {allow_names: [a..example]}":        `guard.allow_names "a..example": is no host name`,

		"guard: {allow_names: [a_b.example.org, bücher.example]}": `guard.allow_names "bücher.example": is no host name`,

		"guard: {allow_names: [" + strings.Repeat("a.example, ", 257) + "]}":         "guard.allow_names: 257 names, at most 256",
		"enforce: {countries: {mode: ban}}":                                          `enforce.countries.mode "ban": must be off, report or refuse`,
		"enforce: {countries: {mode: refuse}}":                                       `enforce.countries.mode "refuse": needs detect and bouncer.api_key`,
		"detect: false\nbouncer: {api_key: k}\nenforce: {countries: {mode: report}}": `enforce.countries.mode "report": needs detect`,
		"enforce: {countries: {home: [Germany]}}":                                    `enforce.countries.home "Germany": is no country`,
		"enforce: {countries: {home: [de]}}":                                         `enforce.countries.home "de": is no country`,
		"enforce: {countries: {learn: 1h}}":                                          "enforce.countries.learn 1h: must be from 1d to 365d",
		"guard: {bans_per_hour: -1}":                                                 "guard.bans_per_hour -1: must be at least 1",
		"sources: [{source: kafka}]":                                                 `sources, number 1: source "kafka": must be one of file, journalctl, syslog, stdin`,
		"sources: [{source: file}]":                                                  "names no file",
		"sources: [{source: syslog}]":                                                "names no place to listen on",
		"sources: [{source: stdin, timezone: Middle/Earth}]":                         `timezone "Middle/Earth"`,
		"sources: [{source: syslog, listen_port: 514, protocol: carrier-pigeon}]":    `protocol "carrier-pigeon"`,
	} {
		_, err := load(t, text, "")
		if err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" || strings.Contains(err.Error(), "config.") {
			t.Errorf("%q: error %v, hint %q, want an error containing %q, a hint, it without \"config.\"", text, err, hint.Of(err), want)
		}
	}
	if _, err := Load("/nonexistent/csmail.yaml"); err == nil {
		t.Error("a named file that is missing is no error")
	}
	if _, err := load(t, "", "nonsense: 1"); err == nil || !strings.Contains(err.Error(), ".local") {
		t.Errorf("a bad .local file: %v, want an error containing \".local\"", err)
	}
}

func TestReadHint(t *testing.T) {
	for err, want := range map[error]string{
		fs.ErrPermission: "usermod -aG csmail",
		fs.ErrNotExist:   "which may be missing",
	} {
		if got := readHint(&fs.PathError{Op: "open", Path: "/x", Err: err}); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestKeyHint(t *testing.T) {
	for text, want := range map[string]string{
		"lapi: {credential: /x}":       "did you mean lapi.credentials?",
		"guard: {alow: []}":            "did you mean guard.allow?",
		"fish_and_chips_on_fridays: 1": "docs/configuration.md lists every key",
		"scenarios: strict":            "a list stands in brackets, also one of a single entry: [strict]",
		"lapi:\n\tcredentials: /x":     `indent with spaces, and put a value with such a character in quotes: "@x"`,
	} {
		_, err := load(t, text, "")
		if got := hint.Of(err); got != want {
			t.Errorf("%q: hint %q, expected %q", text, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]string{"4h": "4h", "90m": "1h30m", "24h": "1d", "1d12h": "36h", "7d": "7d", "90s": "1m30s"} {
		d, ok := ParseDuration(text)
		if !ok || Duration(d).String() != want {
			t.Errorf("%q is written %q, expected %q", text, Duration(d), want)
		}
	}
	if _, ok := ParseDuration("-4h"); ok {
		t.Error("a negative duration is one")
	}
	if d := Duration(time.Duration(0)); d.String() != "0s" {
		t.Errorf("nothing is written %q, want 0s", d)
	}
}

func TestEveryKeyHasItsText(t *testing.T) {
	for _, k := range Keys() {
		if k.Meaning == "" || !strings.HasSuffix(k.Meaning, ".") || strings.HasSuffix(k.Path, ".") {
			t.Errorf("key %q: meaning %q", k.Path, k.Meaning)
		}
	}
}

func TestSocketOfAFileThatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "csmail.yaml")
	for text, want := range map[string]string{
		"socket: /x/a.sock\nlapy: {}": "/x/a.sock",
		"socket: /x/a.sock\nguard: 7": "/x/a.sock",
		"socket: /x/a.sock\nguard: [": "/run/csmail/csmail.sock",
		"":                            "/run/csmail/csmail.sock",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Socket(path); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	if err := os.WriteFile(path+".local", []byte("socket: /x/b.sock\nfoo: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Socket(path); err != nil || got != "/x/b.sock" {
		t.Errorf(".local: %q, %v, want \"/x/b.sock\"", got, err)
	}
	if got, err := Socket(t.TempDir()); err == nil {
		t.Errorf("a folder: %q, want an error", got)
	}
}

// Of several wrong keys the same one is reported every time.
func TestTheSameErrorEveryTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "csmail.yaml")
	if err := os.WriteFile(path, []byte("guard: {mail_days: 0, stale_per_hour: 0, typing: 0, good_share: 0, bans_per_hour: 0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "guard.mail_days 0") {
			t.Fatalf("error %v, want the one about guard.mail_days", err)
		}
	}
}
