package event

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
)

// Value returns the object of CrowdSec's decision in canonical form: an address, a
// network, or an account. The LAPI stores values as they come.
func (a Alert) Value() string {
	if a.Scope == ScopeAccount {
		return a.Account
	}
	addr := a.Source.Unmap().WithZone("")
	if a.Scope != ScopeRange {
		return addr.String()
	}
	bits := a.Bits
	switch {
	case bits > 0:
	case addr.Is4():
		bits = RangeBits4
	default:
		bits = RangeBits6
	}
	return netip.PrefixFrom(addr, bits).Masked().String()
}

// ID identifies the finding. It depends only on scenario, scope, value and the times of
// the first and the last event, so a replay on another host computes the same ID.
func (a Alert) ID() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		a.Scenario, string(a.Scope), a.Value(),
		a.First.UTC().Format(time.RFC3339Nano), a.Last.UTC().Format(time.RFC3339Nano),
	}, "\x00")))
	return hex.EncodeToString(sum[:16])
}
