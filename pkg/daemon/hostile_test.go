package daemon

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"csmail/pkg/enforce/probe"
)

// Whoever reaches a door and means harm keeps nobody else out of it or of another:
// thousands of connections that say nothing, questions that never end, a value of a
// megabyte, nonsense. What they took is given back when they go.
func TestHostileClientsAtTheDoors(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of connections")
	}
	d, url := newDecisions(t)
	d.set(false, "192.0.2.7")
	r := newRig(t)
	r.enforcing(url, fmt.Sprintf("  socketmap: {listen: [%s]}\n", r.path("screen")))
	r.watchdog = time.Minute
	r.start()
	r.eventually("the policy refuses", func() bool { return strings.HasPrefix(r.asksPolicy("192.0.2.7", ""), "421") })
	before := runtime.NumGoroutine()

	var open []net.Conn
	for _, c := range []struct {
		door  string
		says  string
		times int
	}{
		{"policy", "", 5000},
		{"auth", "", 5000},
		{"policy", "request=smtpd_access_policy\nclient_address=192.0.2.7\n", 100},
		{"auth", "POST /?command=allow HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n{", 100},
		{"policy", "request=smtpd_access_policy\nclient_name=" + strings.Repeat("x", 1<<20), 20},
		{"auth", "POST /?command=report HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + strings.Repeat("x", 1<<20), 20},
		{"policy", strings.Repeat("\x00\xff\r\n", 1000), 50},
		{"auth", strings.Repeat("\x00\xff\r\n", 1000), 50},
		{"policy", strings.Repeat("request=smtpd_access_policy\n\n", 100), 50}, // and reads no answer
		{"screen", "", 5000},
		{"screen", "999999999999:psc 192.0.2.7,", 50},
		{"screen", "1000:psc 192.0.2.7", 100},
		{"screen", strings.Repeat("13:psc 192.0.2.7,", 1000), 50}, // and reads no answer
		{"screen", strings.Repeat("\x00\xff:", 1000), 50},
		{"auth", "POST /?command=allow HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\nExpect: 100-continue\r\n\r\n", 100},
		{"auth", "POST /?command=allow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n{", 100},
		{"auth", "POST /?command=allow HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Y: z\r\n", 5000), 50},
	} {
		for range c.times {
			conn, err := net.Dial("unix", r.path(c.door))
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, conn)
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(conn, c.says) // csmail may have cut it off
		}
		began := time.Now()
		if got := r.asksPolicy("192.0.2.7", ""); !strings.HasPrefix(got, "421") {
			t.Errorf("with %d at %s that say %.20q: Postfix is told %q", c.times, c.door, c.says, got)
		}
		if got := r.asksAuth("allow", `{"login":"eve","remote":"192.0.2.7","protocol":"imap"}`); !strings.Contains(got, `"status":-1`) {
			t.Errorf("with %d at %s that say %.20q: Dovecot is told %q", c.times, c.door, c.says, got)
		}
		if got, err := probe.Socketmap(t.Context(), r.path("screen"), netip.MustParseAddr("192.0.2.7")); err != nil || got != "OK reject" {
			t.Errorf("with %d at %s that say %.20q: postscreen is told %q, %v", c.times, c.door, c.says, got, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("with %d at %s that say %.20q: the answers took %s", c.times, c.door, c.says, took)
		}
	}
	for len(r.told) > 0 {
		<-r.told
	}
	r.await("WATCHDOG=1") // none of this is a reason for systemd to end csmail
	status, err := r.ask.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, door := range status.Enforcement.Doors {
		if door.Connections > 1100 {
			t.Errorf("%s holds %d connections", door.Name, door.Connections)
		}
	}
	if said := r.said.String(); strings.Count(said, "\n") > 100 {
		t.Errorf("csmail logged %d lines of it", strings.Count(said, "\n"))
	}
	for _, c := range open {
		c.Close()
	}
	r.eventually(fmt.Sprintf("the goroutines are %d again", before), func() bool { return runtime.NumGoroutine() < before+20 })
}
