package dnsbl

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"csmail/pkg/decision"
	"csmail/pkg/enforce"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func server() *Server {
	table := decision.New(0)
	for i, r := range []decision.Raw{
		{Scope: "Ip", Value: "192.0.2.1", Type: "ban"}, {Scope: "Ip", Value: "192.0.2.3", Type: "captcha"}, {Scope: "Range", Value: "2001:db8:bad::/48", Type: "ban"},
	} {
		r.ID, r.Duration = int64(i+1), "1h"
		d, err := decision.Parse(r, time.Now())
		if err != nil {
			panic(err)
		}
		table.Apply([]decision.Decision{d}, nil, time.Now())
	}
	return &Server{enforce.NewGate(table, enforce.Options{Contact: "postmaster@example.org"}, nil), "bl.csmail.internal"}
}

func question(name string, kind dnsmessage.Type) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

const bad6 = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.a.b.0.8.b.d.0.1.0.0.2."

func TestAnswers(t *testing.T) {
	s := server()
	for _, c := range []struct {
		name string
		kind dnsmessage.Type
		want string
	}{
		{"1.2.0.192.bl.csmail.internal.", dnsmessage.TypeA, "127.0.0.2"},
		{"1.2.0.192.BL.csmail.INTERNAL.", dnsmessage.TypeA, "127.0.0.2"},
		{"1.2.0.192.bl.csmail.internal.", dnsmessage.TypeTXT, "CrowdSec decision 1 on your address; questions: postmaster@example.org"},
		{"3.2.0.192.bl.csmail.internal.", dnsmessage.TypeA, "127.0.0.3"},
		{bad6 + "bl.csmail.internal.", dnsmessage.TypeA, "127.0.0.2"},
		{"9.2.0.192.bl.csmail.internal.", dnsmessage.TypeA, "RCodeNameError"},
		{"2.0.0.127.bl.csmail.internal.", dnsmessage.TypeA, "127.0.0.2"},
		{"1.0.0.127.bl.csmail.internal.", dnsmessage.TypeA, "RCodeNameError"},
		{"1.2.0.192.bl.csmail.internal.", dnsmessage.TypeAAAA, "RCodeSuccess"},
		{"bl.csmail.internal.", dnsmessage.TypeSOA, "SOA"},
		{"x.bl.csmail.internal.", dnsmessage.TypeA, "RCodeNameError"},
		{"1.2.0.192.example.org.", dnsmessage.TypeA, "RCodeRefused"},
		{"1.2.0.192.evilbl.csmail.internal.", dnsmessage.TypeA, "RCodeRefused"},
	} {
		var m dnsmessage.Message
		if err := m.Unpack(s.Answer(question(c.name, c.kind))); err != nil {
			t.Fatal(err)
		}
		if got := shown(m); got != c.want || m.ID != 77 || !m.Response {
			t.Errorf("%s %s: got %s, want %s", c.name, c.kind, got, c.want)
		}
	}
}

func shown(m dnsmessage.Message) string {
	for _, a := range m.Answers {
		switch b := a.Body.(type) {
		case *dnsmessage.AResource:
			return net.IP(b.A[:]).String()
		case *dnsmessage.TXTResource:
			return strings.Join(b.TXT, "")
		case *dnsmessage.SOAResource:
			return "SOA"
		}
	}
	return m.RCode.String()
}

// Go's own resolver is a client as good as any.
func TestOverUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = server().Serve(ctx, c); close(done) }()
	defer func() { cancel(); <-done }()
	for _, junk := range []string{"", "x", strings.Repeat("\x00", 12), strings.Repeat("\xff", 2000)} {
		conn, err := net.Dial("udp", c.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(junk))
		conn.Close()
	}
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
	got, err := r.LookupTXT(t.Context(), "1.2.0.192.bl.csmail.internal.")
	if fmt.Sprint(got) != "[CrowdSec decision 1 on your address; questions: postmaster@example.org]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := r.LookupHost(t.Context(), "1.2.0.192.bl.csmail.internal."); fmt.Sprint(got) != "[127.0.0.2]" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add(question("1.2.0.192.bl.csmail.internal.", dnsmessage.TypeTXT))
	f.Add(question(bad6+"bl.csmail.internal.", dnsmessage.TypeA))
	s := server()
	f.Fuzz(func(t *testing.T, packet []byte) {
		answer := s.Answer(packet)
		var m dnsmessage.Message
		if answer != nil && (m.Unpack(answer) != nil || !m.Response || len(answer) > 4096) {
			t.Errorf("got %q", answer)
		}
	})
}
