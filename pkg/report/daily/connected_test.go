package daily

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Hosts have the names that pflogsumm 1.1.5 gives them, but for capitals.
func TestHostsAreNamedAsByPflogsumm(t *testing.T) {
	for name, want := range map[string]string{
		"mx.example.com": "example.com", "A.b.Example.COM": "example.com", "example.com": "example.com", "com": "com",
		"a.example.co.uk": "example.co.uk", "example.co.uk": "example.co.uk", "a.b.com.au": "b.com.au", "x.y.de": "x.y.de",
		"mail.host.example": "mail.host.example", "a.b.c.info": "a.b.c.info", "10.0.0.127.net": "127.net",
		"..com": "..com", "a..com": "a..com", ".a.com": "a.com", "": "203.0.113.7", "unknown": "203.0.113.7",
	} {
		if got := string(appendHost(nil, name, netip.MustParseAddr("203.0.113.7"))); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if got := string(appendHost(nil, "unknown", netip.MustParseAddr("2001:db8::7"))); got != "2001:db8::7" {
		t.Errorf("got %q, want the address", got)
	}
}

// A connection counts when it ends, if its begin is known and it is not this host's.
func TestConnectionsAreCounted(t *testing.T) {
	f := figuresOf(t, linesOf(`
		09:00:00 smtpd[9]: disconnect from early.example.com[198.51.100.9] ehlo=1 quit=1 commands=2
		09:59:50 smtpd[1]: connect from mx.example.com[203.0.113.7]
		09:59:58 submission/smtpd[2]: connect from unknown[2001:db8::7]
		10:00:00 smtpd[1]: disconnect from mx.example.com[203.0.113.7] ehlo=1 quit=1 commands=2
		10:00:01 submission/smtpd[2]: disconnect from unknown[2001:db8::7] auth=0/1 commands=0/1
		10:00:02 smtpd[1]: connect from mx2.example.com[203.0.113.8]
		10:00:04 smtpd[1]: disconnect from mx2.example.com[203.0.113.8] ehlo=1 quit=1 commands=2
		10:00:05 smtpd[1]: disconnect from mx2.example.com[203.0.113.8] ehlo=1 quit=1 commands=2
		10:01:00 smtpd[3]: connect from localhost[127.0.0.1]
		10:01:01 smtpd[3]: disconnect from localhost[127.0.0.1] ehlo=1 quit=1 commands=2
		10:02:00 smtpd[4]: connect from backwards.example.com[203.0.113.9]
		10:01:59 smtpd[4]: disconnect from backwards.example.com[203.0.113.9] ehlo=1 quit=1 commands=2
		10:03:00 smtpd[5]: connect from open.example.com[203.0.113.10]`))
	want := map[string]*Connected{"example.com": {3, 12, 10}, "2001:db8::7": {1, 3, 3}}
	if diff := cmp.Diff(want, f.Connected); diff != "" {
		t.Errorf("by host (-want +got):\n%s", diff)
	}
	if len(f.ConnectedHours) != 1 {
		t.Errorf("got the hours %v, want one", f.ConnectedHours)
	}
	for hour, got := range f.ConnectedHours {
		if *got != (Connected{4, 15, 10}) {
			t.Errorf("%s: got %+v, want 4 connections of 15 s, 10 s at the most", hour, *got)
		}
	}
}

// A scan from everywhere does not fill the memory.
func TestHostsAreBounded(t *testing.T) {
	f := NewFigures()
	for i := range maxPeers + 10 {
		addConnected(f.Connected, fmt.Sprint(i), Connected{1, 2, 2})
	}
	if got := f.Connected[others]; len(f.Connected) != maxPeers+1 || *got != (Connected{10, 20, 2}) {
		t.Errorf("got %d hosts, and %+v of the others; want %d, and 10 connections", len(f.Connected), got, maxPeers+1)
	}
}
