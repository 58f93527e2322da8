package postfix

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// dnsblog reads "addr ADDR listed by domain LIST as ANSWER" (src/dnsblog/dnsblog.c).
// postscreen asks allow lists as well as block lists, so a listed address is no event by
// itself. An answer that no block list gives about a client (for example, one that
// refuses our queries) is an event, because postscreen counts it against every client.
func dnsblog(message string, e *event.Event) result {
	rest, ok := strings.CutPrefix(message, "addr ")
	if !ok {
		return benign
	}
	client, rest, ok := strings.Cut(rest, " listed by domain ")
	if !ok {
		return benign
	}
	list, answer, ok := cutToken(rest, " as ")
	if !ok || !isRefusal(answer) {
		return benign
	}
	if e.Addr, ok = event.ParseAddr(client); !ok {
		return benign
	}
	e.Kind, e.Attempts, e.Reason = event.DNSBLFault, 1, list+" answers "+answer
	return noted
}

// isRefusal reports whether a block list's answer is about us and not about the
// client. 127.255.255.0/24 stands for queries that a list refuses, as those of an open
// resolver or of too many. A list answers within 127.0.0.0/8 (RFC 5782 section 2.1);
// any other address is that of a domain that was sold, or of a resolver that answers
// for names that do not exist.
func isRefusal(answer string) bool {
	addr, err := netip.ParseAddr(answer)
	if err != nil || !addr.Is4() {
		return false
	}
	octets := addr.As4()
	return octets[0] != 127 || octets[1] == 255 && octets[2] == 255
}
