// Package scenario reads CrowdSec scenario files (the YAML of CrowdSec v1.7.8,
// pkg/leakybucket). It supports the types leaky, trigger, counter, conditional and
// bayesian, and checks every key and value. An error names file, line and key, and
// suggests the likely spelling. For example, for "capasity" it suggests "capacity". The
// result is ready for the buckets and does not change. The package does no I/O except
// through the fs.FS that Load is given, fetches no data file, keeps no state and pours
// no event.
package scenario

import (
	"cmp"
	"slices"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario/expression"
)

// Scenario is one loaded scenario. It does not change after Load.
type Scenario struct {
	Name        string
	Description string
	Type        string // leaky, trigger, counter, conditional, bayesian
	File        string
	Line        int
	Scope       string // Ip, Range, or a word of the file's own
	Capacity    int
	LeakSpeed   time.Duration
	Duration    time.Duration // of a counter
	Blackhole   time.Duration
	Labels      Labels

	// Kinds are the kinds of event that the scenario may count.
	Kinds event.KindSet

	// Notes are remarks on parts of the file that have no effect in csmail: fields that
	// it never sets, keys that it ignores.
	Notes []string

	Plan

	filter *expression.Expression
}

// Labels describe a scenario (the hub's taxonomy).
type Labels struct {
	Service        string
	Label          string
	Behavior       string
	Classification []string
	Confidence     int // 0-3
	Spoofable      int // 0-3
	Remediation    bool
}

// Set is the scenarios of a configuration, in the order of their files.
type Set struct {
	scenarios []*Scenario
	shapes    bool // some filter reads a field of the hub's parsers
}

// Scenarios returns the scenarios in the order that they were loaded.
func (s *Set) Scenarios() []*Scenario { return s.scenarios }

// NeedsTime reports whether one of the scenarios overflows by time, so that the buckets
// must be advanced while no event comes (Engine.Advance of package bucket).
func (s *Set) NeedsTime() bool { return slices.ContainsFunc(s.scenarios, (*Scenario).IsTimed) }

// NeedsShapes reports whether one of the scenarios reads a field of the hub's parsers,
// so that the shape of an event must be found before its filters run.
func (s *Set) NeedsShapes() bool { return s.shapes }

// IsTimed reports whether the scenario overflows by time, not by an event.
func (s *Scenario) IsTimed() bool { return s.Duration > 0 }

// labelsOf reads the labels into their usual types. CrowdSec itself accepts any type.
func labelsOf(raw map[string]any) Labels {
	text := func(key string) string { value, _ := raw[key].(string); return value }
	number := func(key string) int { value, _ := raw[key].(int); return value }
	l := Labels{
		Service: text("service"), Label: text("label"), Behavior: text("behavior"),
		Confidence: number("confidence"), Spoofable: number("spoofable"),
	}
	l.Behavior = cmp.Or(l.Behavior, text("type"))
	l.Remediation, _ = raw["remediation"].(bool)
	list, _ := raw["classification"].([]any)
	for _, item := range list {
		if value, ok := item.(string); ok {
			l.Classification = append(l.Classification, value)
		}
	}
	return l
}

// CountsAccounts reports whether the scenario counts different accounts rather than
// attempts.
func (s *Scenario) CountsAccounts() bool {
	return s.DistinctField == expression.FieldAccount || s.DistinctField == expression.FieldUsername
}

// CountsAddresses reports whether the scenario counts different addresses (of IPv6 perhaps
// their /64) rather than attempts.
func (s *Scenario) CountsAddresses() bool {
	return s.DistinctField == expression.FieldSourceIP || s.DistinctField == expression.FieldSourceBlock
}
