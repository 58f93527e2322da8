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
	scenarios  map[string]int // of neighbours
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
			out = append(out, group{name: v.Network, size: sizes[v.Network], scenarios: map[string]int{}})
		}
		out[i].scenarios[strings.TrimPrefix(v.Scenario, "csmail/")]++
		if v.StopAt.After(out[i].last) {
			out[i].last = v.StopAt
		}
	}
	for i := range out {
		if g := &out[i]; g.scenarios != nil {
			rows, more := byCount(g.scenarios, 1)
			most := ""
			if more > 0 {
				most = "most "
			}
			g.what = fmt.Sprintf("%d addresses, %sby %s", g.size, most, rows[0].text)
		}
	}
	slices.SortStableFunc(out, func(a, b group) int { return b.size - a.size })
	return out
}

// listed writes counts by name, as many as there is room for: "auth-bf (3), spambot (1)".
func listed(counts map[string]int, room int) string {
	rows, _ := byCount(counts, 0)
	text := ""
	for i, r := range rows {
		word := fmt.Sprintf("%s (%d)", plain(r.text), r.n)
		if i > 0 {
			word = ", " + word
		}
		more := fmt.Sprintf(" and %d more", len(rows)-i)
		if i > 0 && len([]rune(text+word)) > room-len(more) {
			return text + more
		}
		text += word
	}
	return text
}
