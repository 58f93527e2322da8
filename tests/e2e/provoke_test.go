//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// provoked is the clients of [provocations]. Whatever the wide server's services
// log of them, a ban is only for who is listed as hostile.
func provoked(t *testing.T, s setup) map[string][]byte {
	t.Helper()
	s.Wide = true
	players := cast(provocations())
	c := build(t, mustRecord(t, players, s))
	text := formatLines(c.rec.lines, logLine.rfc3339)
	write(t, c.dir, logRFC3339, text)
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
	return map[string][]byte{"provoked.log": text}
}
