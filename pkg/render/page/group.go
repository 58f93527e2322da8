package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"csmail/pkg/report/document"
)

// group is one row of the bans: a value, or neighbours in one network.
type group struct {
	name, what string
	last       time.Time
	size       int
}

// neighbourhood is the number of bans in one /24 or /64 from which on they share one row.
const neighbourhood = 3

// reasonOf is a verdict's message without the name of its scenario, which stands above.
func reasonOf(v document.Verdict) string { return strings.TrimSuffix(v.Message, " ("+v.Scenario+")") }

// groups puts neighbours together, the largest groups first.
func groups(bans document.Verdicts) []group {
	sizes := map[string]int{}
	for _, v := range bans.List {
		if v.Network != "" {
			sizes[v.Network]++
		}
	}
	var out []group
	at := map[string]int{}
	for _, v := range bans.List {
		if sizes[v.Network] < neighbourhood {
			out = append(out, group{name: v.Value, what: strings.TrimPrefix(reasonOf(v), v.Value+" made "), last: v.StopAt, size: 1})
			continue
		}
		i, known := at[v.Network]
		if !known {
			i = len(out)
			at[v.Network] = i
			out = append(out, group{name: v.Network, what: fmt.Sprintf("%d addresses, for example: %s", sizes[v.Network], reasonOf(v)), size: sizes[v.Network]})
		}
		if v.StopAt.After(out[i].last) {
			out[i].last = v.StopAt
		}
	}
	slices.SortStableFunc(out, func(a, b group) int { return b.size - a.size })
	return out
}
