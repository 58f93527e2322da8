package postfix

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// FlowClient is the client of a connection that begins or ends, as [Parse] read it, so
// that [FlowClient.Read] need not read it once more. It does not depend on the record,
// which the session join may change.
type FlowClient struct {
	kind event.FlowKind // NoFlow: the line is no such one
	name uint16         // length of its name in the message
	addr netip.Addr
}

const (
	smtpdName        = "smtpd"
	connectPrefix    = "connect from "
	disconnectPrefix = "disconnect from "
)

// FlowClientOf returns the client of a message of smtpd, of which r is the record; the
// zero value for every other message.
func FlowClientOf(message string, r *event.Record) FlowClient {
	kind, prefix := event.FlowConnect, connectPrefix
	switch {
	case r.Testimony == event.Connected:
	case r.Testimony.EndsSession():
		kind, prefix = event.FlowDisconnect, disconnectPrefix
	default:
		return FlowClient{}
	}
	rest, ok := strings.CutPrefix(message, prefix)
	if !ok || !strings.HasPrefix(rest, r.ClientName) {
		return FlowClient{}
	}
	return FlowClient{kind, uint16(len(r.ClientName)), r.Addr} // a host name has at most 255 bytes
}

// Read writes into f what [ParseFlow] does, and reports false where only that can read
// the message.
func (c *FlowClient) Read(program, message string, f *event.Flow) bool {
	if c.kind == event.NoFlow {
		return false
	}
	tag, ok := strings.CutSuffix(program, "/"+smtpdName)
	if !ok {
		return false
	}
	rest := message[len(connectPrefix):]
	if c.kind == event.FlowDisconnect {
		rest = message[len(disconnectPrefix):]
	}
	*f = event.Flow{Kind: c.kind, Daemon: smtpdName, Service: lastElement(tag), Client: rest[:c.name], Addr: c.addr}
	if c.kind == event.FlowConnect {
		return true
	}
	rest = rest[c.name:]
	readAuthCounts(cutPort(rest[strings.IndexByte(rest, ']')+1:]), f)
	return true
}
