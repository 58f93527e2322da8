//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestProvoked: whatever the wide server's services log, a ban is only for who is
// listed as hostile.
func TestProvoked(t *testing.T) {
	players := cast(provocations())
	c := build(t, mustRecord(t, players, setup{Wide: true}))
	write(t, c.dir, logRFC3339, formatLines(c.rec.lines, logLine.rfc3339))
	banned := strings.Fields(c.scan(t, "", "--banned", logRFC3339))
	if len(banned) == 0 {
		t.Error("nobody is banned")
	}
	for _, addr := range banned {
		hostile := func(p *Client) bool { return p.Hostile && p.Addr.String() == addr }
		if !slices.ContainsFunc(players, hostile) {
			t.Errorf("%s is banned, who is no hostile client", addr)
		}
	}
}
