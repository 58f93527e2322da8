//go:build e2e

package lapitest

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/lapi"
)

// A machine ends bans, and none but those that it names.
func TestMachineEndsBans(t *testing.T) {
	onEach(t, func(t *testing.T, s *Server, c *lapi.Client) {
		push(t, c, lapi.PushOptions{},
			finding("192.0.2.1", event.ScopeIP, time.Minute), finding("192.0.2.2", event.ScopeIP, time.Minute),
			finding("192.0.2.1", event.ScopeRange, time.Minute), finding("2001:db8:0:1::5", event.ScopeIP, time.Minute))
		for _, step := range []struct {
			network       string
			ended, covers int
			left          []string
		}{
			{"198.51.100.1/32", 0, 0, []string{"192.0.2.0/24", "192.0.2.1", "192.0.2.2", "2001:db8:0:1::5"}},
			{"192.0.2.1/32", 1, 1, []string{"192.0.2.0/24", "192.0.2.2", "2001:db8:0:1::5"}},
			{"2001:db8:0:1::9/128", 1, 0, []string{"192.0.2.0/24", "192.0.2.2"}},
			{"192.0.2.0/24", 2, 0, nil},
			{"192.0.2.0/24", 0, 0, nil},
		} {
			done, err := c.Unban(t.Context(), netip.MustParsePrefix(step.network))
			if err != nil || len(done.Ended) != step.ended || len(done.Covers) != step.covers {
				t.Errorf("%s: %+v, %v; want %d ended and %d that cover it", step.network, done, err, step.ended, step.covers)
			}
			var left []string
			for _, d := range decisions(t, s) {
				left = append(left, d.Value)
			}
			if slices.Sort(left); !slices.Equal(left, step.left) {
				t.Errorf("%s: left %q, want %q", step.network, left, step.left)
			}
		}
	})
}
