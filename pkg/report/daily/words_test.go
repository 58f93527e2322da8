package daily

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The same by regular expressions: slower, and plain to read.
var (
	addressPattern  = regexp.MustCompile(`[0-9A-Fa-f:.]*[0-9A-Fa-f:][.:][0-9A-Fa-f:.]*[0-9A-Fa-f:]`)
	clientPattern   = regexp.MustCompile(`[^ \[\]]*\[[0-9A-Fa-f:.]+\](:\d+)?`)
	hostnamePattern = regexp.MustCompile(`hostname [^ ]+ does not resolve to address [^ ]*[^ :]`)
)

func plainAddresses(text string) string {
	return addressPattern.ReplaceAllStringFunc(text, func(word string) string {
		trimmed := strings.TrimRight(word, ":.")
		if _, err := netip.ParseAddr(trimmed); err != nil {
			return word
		}
		return "ADDR" + word[len(trimmed):]
	})
}

func plainTrouble(text string) string {
	text, _, _ = strings.Cut(clip(text), ", sasl_username=")
	text = hostnamePattern.ReplaceAllString(text, "hostname does not resolve to its address")
	return plainAddresses(clientPattern.ReplaceAllString(text, "CLIENT"))
}

func TestTroubleWords(t *testing.T) {
	for text, want := range map[string]string{
		"hostname a.example does not resolve to address 192.0.2.1: Name or service not known": "hostname does not resolve to its address: Name or service not known",
		"hostname a does not resolve to address 2001:db8::1":                                  "hostname does not resolve to its address",
		"a.example[192.0.2.1]:4711: SASL LOGIN authentication failed: UGFzc3dvcmQ6":           "CLIENT: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
		"unknown[2001:db8::1]: SASL PLAIN authentication failed":                              "CLIENT: SASL PLAIN authentication failed",
		"a[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=bob":     "CLIENT: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
		"dnsblog reply timeout 10s for zen.example":                                           "dnsblog reply timeout 10s for zen.example",
		"connect to 192.0.2.1:25 failed, then ::1.":                                           "connect to 192.0.2.1:25 failed, then ADDR.",
		"x[y[192.0.2.1]z[::1]:": "x[CLIENTCLIENT:",
		"hostname hostname a does not resolve to address b does not resolve to address c": "hostname hostname does not resolve to its address does not resolve to address c",
		"1:: and 1.2.3 and 256.1.1.1 and fe80::1%eth0 and 192.0.2.1.":                     "1:: and 1.2.3 and 256.1.1.1 and ADDR%eth0 and ADDR.",
	} {
		if got := troubleText(text); got != want {
			t.Errorf("troubleText(%q)\n got %q\nwant %q", text, got, want)
		}
	}
}

func TestTroubleTextEqualsThePatterns(t *testing.T) {
	words := rapid.SliceOf(rapid.SampledFrom([]string{
		"hostname ", " does not resolve to address ", "a.example", "192.0.2.1", "2001:db8::1", "[", "]", ":", ".", " ", "25", "::", "x", "ä", "\xff", "dead", "1.2.3.4.5", ", sasl_username=",
	}))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(words.Draw(t, "text"), "")
		if got, want := troubleText(text), plainTrouble(text); got != want {
			t.Fatalf("troubleText(%q)\n got %q\nwant %q", text, got, want)
		}
	})
}
