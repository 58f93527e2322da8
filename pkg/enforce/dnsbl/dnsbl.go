// Package dnsbl is the door for mail servers without another one: a DNS block list (RFC
// 5782) over UDP, for Exim, rspamd, OpenSMTPD, and Postfix's reject_rbl_client. A banned
// address has an A record, 127.0.0.2 (a captcha 127.0.0.3), and a TXT record with the
// contact. The zone holds the test entry of RFC 5782 section 5.
//
// It answers only for its zone and is no resolver. Its clients can find out which
// addresses are banned, so it must not be reachable from outside.
package dnsbl

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"csmail/pkg/enforce"
)

const (
	ttl       = 30   // seconds, also for answers without an entry: a ban may begin and end at any time
	maxPacket = 1232 // bytes of a question
)

// Server answers for a zone.
type Server struct {
	Gate *enforce.Gate
	Zone string // "bl.csmail.internal"
}

// Serve answers on a packet socket until the context ends, and closes it.
func (s *Server) Serve(ctx context.Context, c net.PacketConn) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	buffer := make([]byte, maxPacket)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			continue // an answer that could not be delivered comes back as an error
		}
		if answer := s.Answer(buffer[:n]); answer != nil {
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = c.WriteTo(answer, from) // a client without an answer asks again
		}
	}
}

// Answer returns the answer to a packet, nil if it is no question.
func (s *Server) Answer(packet []byte) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil || header.Response {
		s.Gate.Failed(enforce.DNSBL)
		return nil
	}
	q, err := p.Question()
	if err != nil || header.OpCode != 0 {
		s.Gate.Failed(enforce.DNSBL)
		return refuse(header, dnsmessage.RCodeNotImplemented)
	}
	return s.reply(header, q)
}

func refuse(h dnsmessage.Header, code dnsmessage.RCode) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: h.ID, Response: true, RCode: code}}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// reply answers a question. Names outside of the zone are refused; a name without an
// entry does not exist.
func (s *Server) reply(h dnsmessage.Header, q dnsmessage.Question) []byte {
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	zone := strings.ToLower(strings.Trim(s.Zone, "."))
	label, below := strings.CutSuffix(name, "."+zone)
	soa, err := soaOf(zone)
	if !below && name != zone || q.Class != dnsmessage.ClassINET || err != nil {
		return refuse(h, dnsmessage.RCodeRefused)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: h.ID, Response: true, Authoritative: true, RecursionDesired: h.RecursionDesired},
		Questions: []dnsmessage.Question{q},
	}
	record, text, listed := s.lookup(label, below)
	switch {
	case !below && q.Type == dnsmessage.TypeSOA:
		m.Answers = []dnsmessage.Resource{soa}
	case listed && q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: head(q.Name), Body: &dnsmessage.AResource{A: record}}}
	case listed && q.Type == dnsmessage.TypeTXT:
		m.Answers = []dnsmessage.Resource{{Header: head(q.Name), Body: &dnsmessage.TXTResource{TXT: []string{text}}}}
	default:
		m.Authorities = []dnsmessage.Resource{soa}
		if below && !listed {
			m.RCode = dnsmessage.RCodeNameError
		}
	}
	b, err := m.Pack()
	if err != nil {
		return refuse(h, dnsmessage.RCodeServerFailure)
	}
	return b
}

func head(name dnsmessage.Name) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}
}

func soaOf(zone string) (dnsmessage.Resource, error) {
	name, err := dnsmessage.NewName(zone + ".")
	return dnsmessage.Resource{Header: head(name), Body: &dnsmessage.SOAResource{
		NS: name, MBox: name, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: ttl,
	}}, err
}

// lookup finds the entry of the labels before the zone. 127.0.0.2 is always listed and
// 127.0.0.1 never (RFC 5782 section 5).
func (s *Server) lookup(label string, below bool) (record [4]byte, text string, listed bool) {
	addr, ok := addressOf(label)
	if !below || !ok {
		return record, "", false
	}
	record = [4]byte{127, 0, 0, 2}
	if addr == netip.AddrFrom4(record) {
		return record, "test entry", true
	}
	v := s.Gate.Ask(enforce.Query{Door: enforce.DNSBL, Addr: addr, Service: "dnsbl"})
	if v.Action == enforce.Defer {
		record[3] = 3
	}
	return record, v.Text, v.Action != enforce.Pass
}

// addressOf reads the labels of a reversed address: four numbers of IPv4, 32 nibbles of
// IPv6 (RFC 5782 sections 2.1 and 2.4).
func addressOf(label string) (netip.Addr, bool) {
	parts := strings.Split(label, ".")
	switch len(parts) {
	case 4:
		addr, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
		return addr, err == nil
	case 32:
		var raw [16]byte
		for i, part := range parts {
			digit := strings.Index("0123456789abcdef", part)
			if len(part) != 1 || digit < 0 {
				return netip.Addr{}, false
			}
			raw[(31-i)/2] |= byte(digit) << (4 * (i % 2))
		}
		return netip.AddrFrom16(raw).Unmap(), true
	}
	return netip.Addr{}, false
}
