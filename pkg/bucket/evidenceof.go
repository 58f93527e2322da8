package bucket

import (
	"net/netip"

	"csmail/pkg/event"
)

// EvidenceOf returns the newest events that an address (IPv6: its /64) poured into any
// scenario that counts by it, the oldest first. They are copies. An old one may hold only
// time, kind, service and address.
func (e *Engine) EvidenceOf(addr netip.Addr) []event.Event {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return nil
	}
	key := addrKey(addr)
	if addr.Is6() {
		key = rangeKey(addr)
	}
	gi := e.groups.findNetwork(key)
	if gi == 0 {
		return nil
	}
	return e.evidenceOf(e.groups.At(gi), event.AllKinds, 0)
}
