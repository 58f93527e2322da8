package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
)

// ScanScenario is the scenario under which csmail scan tells of a source.
const ScanScenario = "csmail/hostile-mail-client"

// Alert tells of a source to CrowdSec. Its message names no user.
func (s *Source) Alert() event.Alert {
	hostile := s.hostileKinds()
	services := slices.Sorted(slices.Values(s.Services))
	return event.Alert{
		Scenario: ScanScenario,
		Scope:    event.ScopeIP,
		Source:   s.Addr,
		Count:    s.Hostile,
		First:    s.FirstHostile,
		Last:     s.LastHostile,
		Message:  s.message(hostile, services),
		Kinds:    s.Kinds,
		Services: services,
		Evidence: s.Evidence,
	}
}

func (s *Source) message(hostile, services []string) string {
	span := s.LastHostile.Sub(s.FirstHostile).Round(time.Second)
	return fmt.Sprintf("%s made %d hostile attempts on %s within %s: %s",
		s.Addr, s.Hostile, strings.Join(services, " and "), span, strings.Join(hostile, ", "))
}

func (s *Source) hostileKinds() []string {
	var texts []string
	for _, k := range event.Kinds() {
		i := slices.IndexFunc(s.Kinds, func(c event.Count) bool { return c.Name == k.String() })
		if i >= 0 && k.Class() == event.Hostile {
			texts = append(texts, fmt.Sprintf("%d × %s", s.Kinds[i].N, k))
		}
	}
	return texts
}
