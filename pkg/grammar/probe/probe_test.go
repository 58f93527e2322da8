package probe

import "testing"

func TestIsProbe(t *testing.T) {
	tests := map[string]bool{
		// a TLS hello, in octal and in decimal
		`\026\003\001\002\000\001\000\001\374\003\003`: true,
		`\026\003\001`:                        true,
		`\026\003\003\000\310\001\000`:        true,
		`\22\3\1\2\0\1\0\1\252\3\3`:           true,
		`\22\3\0\0\151\1\0\0\147`:             true,
		`\22\3\0030\1\0\0\147`:                true,
		`\26\3\1\2`:                           true,
		`\026\003\005\000`:                    false,
		`\026\003`:                            false,
		`\026\002\001\000`:                    false,
		`\200\056\001\003\001\000\025`:        true, // the hello of SSL 2
		`\200F\001\003\001\000-`:              true,
		`\128\76\1\3\1`:                       true,
		`\200\056\001\003\000`:                true,
		`\200\056\001\000\002\000\025`:        false, // without an offer of TLS
		`\200\056\002\003\001`:                false,
		`\200\056`:                            false,
		`\200`:                                false,
		`\200GET`:                             false,
		`\027\003\001\000`:                    false, // application data
		`\025\003\001\000\002\002`:            false, // an alert
		`\003\000\000/*\340\000\000`:          false, // RDP
		`\026`:                                false,
		`\\026\003\001`:                       false, // the digits were sent
		`GET / HTTP/1.1\r\n\026\003\001`:      false,
		`x\026\003\001`:                       false,
		`EHLO we-guess.mozilla.org\r\n`:       true,
		`EHLO we-guess.mozilla.org`:           true,
		`EHLO we-guess.mozilla.org\r\nMAIL`:   false,
		`EHLO we-guess.mozilla.org.example`:   false,
		`EHLO x\r\n`:                          false,
		`EHLO x\r\nQUIT\r\n`:                  true,
		`helo x.example\r\nquit\r\n`:          true,
		`EHLO x\nQUIT\n`:                      true,
		`QUIT\r\n`:                            true,
		`QUIT`:                                true,
		`EHLO x\r\nNOOP\r\nRSET\r\nQUIT\r\n`:  true,
		`HELP\r\nQUIT\r\n\r\n`:                true,
		`QUIT now\r\n`:                        false,
		`QUITE\r\n`:                           false,
		`EHLO x\r\nQUIT\r\nMAIL FROM:<a>`:     false,
		`EHLO x\r\nAUTH LOGIN\r\n`:            false,
		`EHLO x\r\nAUTH LOGIN\r\nQUIT\r\n`:    false,
		`EHLO x\r\nMAIL FROM:<a>\r\nQUIT\r\n`: false,
		`RSET\r\nVRFY root\r\nQUIT\r\n`:       false,
		``:                                    true,
		` `:                                   true,
		`\r\n`:                                true,
		`\n\r\n`:                              true,
		`.\r\n`:                               false,
		`\000`:                                false,
	}
	for sent, want := range tests {
		if got := IsTLSHello(sent) || IsAccountSearch(sent) || IsVisit(sent) || IsBlank(sent); got != want {
			t.Errorf("%s: got %t, want %t", sent, got, want)
		}
	}
}

func TestIsProxyHeader(t *testing.T) {
	tests := map[string]bool{
		`PROXY TCP4 192.0.2.1 192.0.2.2 44520 25\r\n`:                          true,
		`PROXY TCP6 2001:db8::1 2001:db8::2 44520 25\r\n`:                      true,
		`PROXY UNKNOWN\r\n`:                                                    true,
		`\r\n\r\n\000\r\nQUIT\n!\021\000\f\313\000q\a`:                         true,
		`\r\n\r\n\000\r\nQUIT\n \000\000\000`:                                  true,
		`PROXY TCP4 192.0.2.1 192.0.2.2 44520 25\r\nEHLO x\r\n`:                false,
		`PROXY TCP4 192.0.2.1 192.0.2.2 44520 25\r\nMAIL FROM:<a@example.com>`: false,
		`PROXY UNKNOWN\r\nEHLO x\r\n`:                                          false,
		`PROXY TCP4 192.0.2.1\r\n`:                                             false,
		`PROXY HTTP 192.0.2.1 192.0.2.2 44520 25\r\n`:                          false,
		`\r\n\r\n\000\r\nMAIL FROM:<a@example.com>\n`:                          false,
		`EHLO PROXY TCP4 192.0.2.1 192.0.2.2 44520 25\r\n`:                     false,
		`PROXY`: false,
		``:      false,
	}
	for sent, want := range tests {
		if got := IsProxyHeader(sent); got != want {
			t.Errorf("%s: got %t, want %t", sent, got, want)
		}
	}
}

func TestIsMaskedHello(t *testing.T) {
	tests := map[string]bool{
		"???": true, "????": true, "????w?": true, "???? ": true, "??????": true,
		"": false, "??": false, "???x": false, "????w": false, "????wx": false, "???????": false, "GET / HTTP/1.1": false, "???x??": false, "x???": false,
	}
	for sent, want := range tests {
		if got := IsMaskedHello(sent); got != want {
			t.Errorf("%q: got %t, want %t", sent, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for sent, want := range map[string]int{
		``: 0, `EHLO we-guess.mozilla.org\r\n`: 27, `\026\003\001`: 3, `\22\3\0019`: 4, `a\\b`: 3, `\`: 1, `\\r`: 2,
	} {
		if got := Size(sent); got != want {
			t.Errorf("%s: got %d, want %d", sent, got, want)
		}
	}
}
