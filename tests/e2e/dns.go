//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// zone is all that the lab's DNS server knows. A name that is not in it does
// not exist.
type zone struct {
	Names   map[string]string       // reverse name → PTR target
	Addrs   map[string][]netip.Addr // name → A and AAAA
	Texts   map[string]string       // name → TXT
	Failing []string                // names answered with SERVFAIL
	Forward map[string]string       // zone → host:port of the server that knows it
}

func newZone() *zone {
	return &zone{Names: map[string]string{}, Addrs: map[string][]netip.Addr{}, Texts: map[string]string{}}
}

const (
	dnsTypeA     = 1
	dnsTypePTR   = 12
	dnsTypeTXT   = 16
	dnsTypeAAAA  = 28
	dnsNXDomain  = 3
	dnsServFail  = 2
	dnsHeaderLen = 12
)

// serve answers queries until the connection is closed.
func (z *zone) serve(conn net.PacketConn) {
	query := make([]byte, 512)
	for {
		n, client, err := conn.ReadFrom(query)
		if err != nil {
			return
		}
		if server := z.forwardTo(query[:n]); server != "" {
			go relayQuery(conn, client, server, slices.Clone(query[:n]))
			continue
		}
		if reply := z.answer(query[:n]); reply != nil {
			_, _ = conn.WriteTo(reply, client) // a lost answer is asked for again
		}
	}
}

// forwardTo returns the server that a query is for, "" if it is this one.
func (z *zone) forwardTo(query []byte) string {
	name, _, ok := question(query)
	for suffix, server := range z.Forward {
		if ok && strings.HasSuffix(name, "."+suffix) {
			return server
		}
	}
	return ""
}

// relayQuery asks another server, as a resolver with a stub zone does. Without an answer
// within a second the client gets SERVFAIL.
func relayQuery(conn net.PacketConn, client net.Addr, server string, query []byte) {
	reply := make([]byte, 1500)
	n := 0
	if c, err := net.Dial("udp", server); err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if _, err = c.Write(query); err == nil {
			n, _ = c.Read(reply)
		}
	}
	if n == 0 {
		reply, n = append(reply[:0], query...), len(query)
		reply[2], reply[3] = 0x81, 0x80|dnsServFail
	}
	_, _ = conn.WriteTo(reply[:n], client) // a lost answer is asked for again
}

// answer builds the reply to one query, or nil for something that is none.
func (z *zone) answer(query []byte) []byte {
	name, end, ok := question(query)
	if !ok {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end:])
	records, code := z.lookup(name, kind)
	reply := append([]byte(nil), query[:end+4]...)
	reply[2], reply[3] = 0x85, 0x80|code // an authoritative answer, recursion available
	binary.BigEndian.PutUint16(reply[6:], uint16(len(records)))
	copy(reply[8:dnsHeaderLen], []byte{0, 0, 0, 0}) // no authority, no EDNS in return
	for _, data := range records {
		reply = append(reply, 0xc0, dnsHeaderLen) // the name of the question
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = append(reply, 0, 1, 0, 0, 0, 60) // IN, one minute
		reply = binary.BigEndian.AppendUint16(reply, uint16(len(data)))
		reply = append(reply, data...)
	}
	return reply
}

func (z *zone) lookup(name string, kind uint16) (records [][]byte, code byte) {
	if slices.Contains(z.Failing, name) {
		return nil, dnsServFail
	}
	target, isReverse := z.Names[name]
	addrs, isName := z.Addrs[name]
	if !isReverse && !isName {
		return nil, dnsNXDomain
	}
	if kind == dnsTypePTR && isReverse {
		records = append(records, encodeName(target))
	}
	if text := z.Texts[name]; kind == dnsTypeTXT && text != "" {
		records = append(records, append([]byte{byte(len(text))}, text...))
	}
	for _, addr := range addrs {
		if (kind == dnsTypeA && addr.Is4()) || (kind == dnsTypeAAAA && addr.Is6()) {
			records = append(records, addr.AsSlice())
		}
	}
	return records, 0
}

// question reads the name of a query's only question and where its type starts.
func question(query []byte) (name string, end int, ok bool) {
	if len(query) < dnsHeaderLen || binary.BigEndian.Uint16(query[4:]) != 1 {
		return "", 0, false
	}
	var labels []string
	at := dnsHeaderLen
	for at < len(query) && query[at] != 0 {
		next := at + 1 + int(query[at])
		if query[at] > 63 || next >= len(query) {
			return "", 0, false
		}
		labels = append(labels, string(query[at+1:next]))
		at = next
	}
	if at+5 > len(query) {
		return "", 0, false
	}
	return strings.ToLower(strings.Join(labels, ".")), at + 1, true
}

func encodeName(name string) []byte {
	var wire []byte
	for label := range strings.SplitSeq(name, ".") {
		wire = append(append(wire, byte(len(label))), label...)
	}
	return append(wire, 0)
}

// reverseName is the name under which the PTR record of addr stands.
func reverseName(addr netip.Addr) string {
	if addr.Is4() {
		return reverseLabels(addr) + ".in-addr.arpa"
	}
	return reverseLabels(addr) + ".ip6.arpa"
}

// list puts addr on a DNS list, which answers with code.
func (z *zone) list(addr netip.Addr, list, code, text string) {
	name := reverseLabels(addr) + "." + list
	z.Addrs[name] = []netip.Addr{netip.MustParseAddr(code)}
	z.Texts[name] = text
}

func reverseLabels(addr netip.Addr) string {
	var labels []string
	for _, b := range addr.AsSlice() {
		if addr.Is4() {
			labels = append(labels, fmt.Sprint(b))
			continue
		}
		labels = append(labels, fmt.Sprintf("%x", b>>4), fmt.Sprintf("%x", b&15))
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}
