package probe

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/decision"
	"csmail/pkg/enforce"
	"csmail/pkg/enforce/authpolicy"
	"csmail/pkg/enforce/dnsbl"
	"csmail/pkg/enforce/policyd"
	"csmail/pkg/enforce/socketmap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server until the test ends, and returns where.
func serve(t *testing.T, run func(context.Context, net.Listener) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = run(ctx, l); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return l.Addr().String()
}

// TestDoors asks csmail's own doors about a test client and about another one.
func TestDoors(t *testing.T) {
	g := enforce.NewGate(decision.New(0), enforce.Options{}, nil)
	for _, client := range []string{"192.0.2.1:0", "[2001:db8::1]:0"} {
		if err := g.Probe(netip.MustParseAddrPort(client), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	policy := serve(t, (&policyd.Server{Gate: g, MX: policyd.Later, Submission: policyd.Never}).Serve)
	auth := serve(t, (&authpolicy.Server{Gate: g, Key: "k"}).Serve)
	screen := serve(t, (&socketmap.Server{Gate: g}).Serve)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = (&dnsbl.Server{Gate: g, Zone: "bl.test"}).Serve(ctx, packets); close(done) }()
	defer func() { cancel(); <-done }()

	for _, c := range []struct {
		door string
		ask  func(netip.Addr) (string, error)
		yes  string
		no   string
	}{
		{"policy", func(a netip.Addr) (string, error) { return Policy(t.Context(), policy, a) }, "421 4.7.1 CrowdSec decision 999999999 on your address", "DUNNO"},
		{
			"auth policy", func(a netip.Addr) (string, error) { return AuthPolicy(t.Context(), auth, "k", a) },
			`{"status":-1,"msg":"CrowdSec decision 999999999 on your address"}`, `{"status":0,"msg":""}`,
		},
		{"socketmap", func(a netip.Addr) (string, error) { return Socketmap(t.Context(), screen, a) }, "OK reject", "NOTFOUND"},
		{"block list", func(a netip.Addr) (string, error) {
			return BlockList(t.Context(), packets.LocalAddr().String(), "bl.test", a)
		}, "127.0.0.2", ""},
	} {
		for addr, want := range map[string]string{"192.0.2.1": c.yes, "2001:db8::1": c.yes, "192.0.2.2": c.no} {
			if got, err := c.ask(netip.MustParseAddr(addr)); err != nil || got != want {
				t.Errorf("%s on %s: got %q, %v, want %q", c.door, addr, got, err, want)
			}
		}
	}
	if _, err := AuthPolicy(t.Context(), auth, "other", netip.MustParseAddr("192.0.2.1")); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("a wrong key: got %v", err)
	}
	if _, err := Policy(t.Context(), "unix:/nonexistent/s", netip.MustParseAddr("192.0.2.1")); err == nil {
		t.Error("a door that is not there: no error")
	}
}

func TestListName(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":   "7.2.0.192.bl.test.",
		"2001:db8::7": "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test.",
	} {
		if got := ListName("bl.test", netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

// smtpServer answers the lines of a client in turn.
func smtpServer(t *testing.T, replies ...string) netip.AddrPort {
	t.Helper()
	place := serve(t, func(ctx context.Context, l net.Listener) error {
		return enforce.Serve(ctx, l, func(c net.Conn) {
			buffer := make([]byte, 1000)
			for _, r := range replies {
				if _, err := c.Write([]byte(r + "\r\n")); err != nil {
					return
				}
				if _, err := c.Read(buffer); err != nil {
					return
				}
			}
		})
	})
	return netip.MustParseAddrPort(place)
}

func TestSMTP(t *testing.T) {
	const refused = "421 4.7.1 <unknown[127.0.0.1]>: Client host rejected: CrowdSec decision 999999999 on your address"
	for name, c := range map[string]struct {
		replies []string
		want    Session
		failed  bool
	}{
		"at the greeting": {[]string{refused}, Session{"CONNECT", refused, true}, false},
		"at the recipient": {
			[]string{"220 mx1 ESMTP", "250-mx1\r\n250 SIZE", "250 2.1.0 Ok", refused},
			Session{"RCPT", refused, true},
			false,
		},
		"let in":            {[]string{"220 mx1 ESMTP", "250 mx1", "250 Ok", "250 2.1.5 Ok"}, Session{"RCPT", "250 2.1.5 Ok", false}, false},
		"for another fault": {[]string{"220 mx1", "250 mx1", "530 5.7.0 Authentication required"}, Session{"MAIL", "530 5.7.0 Authentication required", true}, false},
		"no TLS after all":  {[]string{"220 mx1", "250 mx1", "530 5.7.0 Must issue a STARTTLS command first", "454 4.7.0 TLS not available"}, Session{}, true},
		"hangs up":          {nil, Session{}, true},
		"no SMTP":           {[]string{"* OK IMAP ready"}, Session{}, true},
	} {
		var from netip.AddrPort
		to := smtpServer(t, c.replies...)
		got, err := SMTP(t.Context(), netip.MustParseAddr("127.0.0.1"), to, false, func(a netip.AddrPort) error { from = a; return nil })
		if (err != nil) != c.failed || !c.failed && got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v, an error: %t", name, got, err, c.want, c.failed)
		}
		if from.Addr() != netip.MustParseAddr("127.0.0.1") || from.Port() == 0 {
			t.Errorf("%s: comes from %s", name, from)
		}
	}
}
