package lapi

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"csmail/pkg/hint"

	"github.com/google/go-cmp/cmp"
)

func TestLoadCredentials(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want Credentials
		err  string
	}{
		"as cscli writes it": {
			"url: http://127.0.0.1:8080/\nlogin: csmail\npassword: s3cret\n",
			Credentials{URL: "http://127.0.0.1:8080/", Login: "csmail", Password: "s3cret"},
			"",
		},
		"with the console's url": {
			"url: http://127.0.0.1:8080\nlogin: csmail\npassword: 12345678\npapi_url: https://papi.example.org/\n",
			Credentials{URL: "http://127.0.0.1:8080", Login: "csmail", Password: "12345678"},
			"",
		},
		"unix socket": {
			"url: /run/crowdsec.sock\nlogin: csmail\npassword: s3cret\n",
			Credentials{URL: "/run/crowdsec.sock", Login: "csmail", Password: "s3cret"},
			"",
		},
		"certificate": {
			"url: https://lapi.example.org/\ncert_path: c.pem\nkey_path: k.pem\nca_cert_path: ca.pem\n",
			Credentials{URL: "https://lapi.example.org/", CertPath: "c.pem", KeyPath: "k.pem", CACertPath: "ca.pem"},
			"",
		},
		"empty file":          {"", Credentials{}, "the file is empty"},
		"comment only":        {"# nothing\n", Credentials{}, "the file is empty"},
		"a list":              {"- url\n", Credentials{}, "line 1: no list of keys and values"},
		"unknown key":         {"url: http://127.0.0.1/\nuser: x\n", Credentials{}, `line 2: unknown or repeated key "user"`},
		"repeated key":        {"url: a\nlogin: x\nlogin: x\n", Credentials{}, `line 3: unknown or repeated key "login"`},
		"nested value":        {"url:\n  host: x\n", Credentials{}, "line 2: url is not a text"},
		"no url":              {"login: x\npassword: y\n", Credentials{}, "url is empty"},
		"no login":            {"url: /s\npassword: y\n", Credentials{}, "login is empty"},
		"null password":       {"url: /s\nlogin: x\npassword: ~\n", Credentials{}, "password is empty"},
		"certificate, no key": {"url: /s\ncert_path: c.pem\n", Credentials{}, "cert_path and key_path belong together"},
		"broken yaml":         {"url: [\n", Credentials{}, "line 1: a value is missing behind [, { or a comma"},
		"a password with @":   {"url: /s\nlogin: x\npassword: @secret\n", Credentials{}, "line 3: a tab, or a character such as @, ` or %, begins a value"},
		"a password with *":   {"url: /s\nlogin: x\npassword: *secret\n", Credentials{}, "a value begins with *"},
		"a password with :":   {"url: /s\nlogin: x\npassword: a: b\n", Credentials{}, "line 3: a second colon, or a key that is indented too far"},
		"a password in half":  {"url: /s\nlogin: x\npassword: \"ab\n", Credentials{}, "line 3: a text in quotes is not closed"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "creds.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadCredentials(path)
			if tt.err != "" {
				want := fmt.Sprintf("lapi credentials: %q: %s", path, tt.err)
				if err == nil || err.Error() != want {
					t.Fatalf("error %v\nwant  %s", err, want)
				}
				if want := "a new file: sudo cscli machines add csmail --auto --force -f " + path; !strings.HasSuffix(hint.Of(err), want) {
					t.Errorf("hint %q\nwant %q at its end", hint.Of(err), want)
				}
				if strings.Contains(tt.err, "begins a value") && !strings.HasPrefix(hint.Of(err), "indent with spaces, and put a value with such a character in quotes") {
					t.Errorf("hint %q says nothing of quotes", hint.Of(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.path = path
			if got != tt.want {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestLoadCredentialsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "creds.yaml")
	_, err := LoadCredentials(path)
	if want := "lapi credentials: open " + path + ": no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if want := "sudo cscli machines add csmail --auto -f " + path; hint.Of(err) != want {
		t.Errorf("hint %q, want %q", hint.Of(err), want)
	}
}

func TestCredentialsHidePassword(t *testing.T) {
	c := Credentials{URL: "/s", Login: "csmail", Password: "s3cret"}
	if shown := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(shown, "s3cret") {
		t.Error(shown)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.pem")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		c    Credentials
		want string
	}{
		"no scheme":   {Credentials{URL: "127.0.0.1:8080"}, `lapi url "127.0.0.1:8080": neither http(s)://HOST:PORT/ nor the path of a socket`},
		"host only":   {Credentials{URL: "localhost"}, `lapi url "localhost": neither http(s)://HOST:PORT/ nor the path of a socket`},
		"other":       {Credentials{URL: "ftp://x/"}, `lapi url "ftp://x/": neither http(s)://HOST:PORT/ nor the path of a socket`},
		"no CA file":  {Credentials{URL: "/s", CACertPath: dir + "/none"}, "ca_cert_path: open " + dir + "/none: no such file or directory"},
		"junk CA":     {Credentials{URL: "/s", CACertPath: junk}, fmt.Sprintf("ca_cert_path: no certificate in %q", junk)},
		"junk client": {Credentials{URL: "/s", CertPath: junk, KeyPath: junk}, "cert_path and key_path: tls: failed to find any PEM data in certificate input"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(tt.c, "1.0.0")
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v\nwant  %s", err, tt.want)
			}
		})
	}
}

func TestUserAgentHasOneSlash(t *testing.T) {
	got := map[string]string{}
	for _, version := range []string{"1.2.3", "v1.2.3", "", "devel +a/b c"} {
		got[version] = userAgent(version)
	}
	want := map[string]string{
		"1.2.3": "crowdsec-csmail/v1.2.3", "v1.2.3": "crowdsec-csmail/v1.2.3",
		"": "crowdsec-csmail/v", "devel +a/b c": "crowdsec-csmail/vdevel-+a-b-c",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("user agents (-want +got):\n%s", d)
	}
}

// A password in the URL stands in no error and no log.
func TestURLIsShownWithoutItsPassword(t *testing.T) {
	for name, url := range map[string]string{
		"nobody listens": "http://admin:hunter2@127.0.0.1:1/",
		"by TLS":         "https://admin:hunter2@127.0.0.1:1/",
		"no URL":         "http//admin:hunter2@127.0.0.1:1/",
		"a bad port":     "http://admin:hunter2@127.0.0.1:port/",
		"only a user":    "http://hunter2@127.0.0.1:1/",
	} {
		t.Run(name, func(t *testing.T) {
			credentials := Credentials{URL: url, Login: "csmail", Password: "x"}
			said := fmt.Sprintf("%v %#v", credentials, credentials)
			c, err := New(credentials, "1.0.0")
			if err == nil {
				defer c.Close()
				err = c.Heartbeat(t.Context())
			}
			if err == nil {
				t.Fatal("no error")
			}
			if said += fmt.Sprint(err, hint.Of(err)); strings.Contains(said, "hunter2") {
				t.Errorf("said %s, want it without \"hunter2\"", said)
			}
			if !strings.Contains(said, "127.0.0.1") {
				t.Errorf("said %s, and not where, want it to contain \"127.0.0.1\"", said)
			}
		})
	}
}
