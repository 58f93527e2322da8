package guard

import (
	"fmt"
	"strings"
	"time"
)

// ruleWords describe the results of the rules, for a person.
var ruleWords = [ruleCount]string{
	Proven:       "a source that proved itself may do this",
	MailTaken:    "more of its mail was taken on these days than was refused",
	Stale:        "a stale or mistyped password",
	LoginOutage:  "our login service had trouble",
	Resolver:     "our resolver is not known to have worked",
	BlockList:    "our block lists are not known to have worked",
	UserDatabase: "our tables of recipients had trouble",
	EmptyVisits:  "connections that asked for nothing",
}

// reason returns the reason of a verdict by a rule.
func (t *tally) reason(rule Rule, g *Guard) string {
	switch {
	case rule == Proven && t.proof != "":
		return t.proof + ", and honest hosts do this too"
	case rule == Resolver:
		return fmt.Sprintf("no other client with a verified name connected within %s before and after",
			time.Duration(t.gap[rule])*time.Second)
	case rule == BlockList:
		return fmt.Sprintf("no mail of others was taken within %s before and after", time.Duration(t.gap[rule])*time.Second)
	}
	return ruleWords[rule]
}

// checks returns the lines of Verdict.Checks: one for each rule that excused something,
// and one for all others.
func (t *tally) checks(g *Guard) []string {
	if g.mute {
		return nil
	}
	proof := "proof: none"
	if t.proof != "" {
		proof = "proof: " + t.proof
	}
	all := append(make([]string, 0, 8), "never banned: no", "amnesty: none", proof)
	idle := g.idle
	for rule, n := range t.excused {
		if n > 0 {
			all = append(all, ruleName(Rule(rule))+": "+count(n, "attempt")+" excused ("+ruleWords[rule]+")")
			idle = ""
		}
	}
	if idle == "" {
		idle = idleRules(&t.excused)
	}
	return append(all, idle, "counts: "+count(t.counted, "attempt"))
}

// idleRules returns the line for the rules that excused nothing.
func idleRules(excused *[ruleCount]int) string {
	var names []string
	for rule := Proven; rule <= EmptyVisits; rule++ {
		if ruleWords[rule] != "" && excused[rule] == 0 {
			names = append(names, ruleName(rule))
		}
	}
	return "excused nothing: " + strings.Join(names, ", ")
}

func ruleName(rule Rule) string { return strings.ReplaceAll(rule.String(), "-", " ") }
