package report

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

const (
	// maxCollateral is the number of banned sources that turned out well and are listed;
	// all are counted.
	maxCollateral = 1000
	// maxOffenders is the number of sources whose first offence is remembered.
	maxOffenders = 1_000_000
)

// Backtest computes the effect that bans would have had in a log: the bans and their
// times, the offences that they would have prevented, and the banned sources that turned
// out to be honest. It keeps counts and one small entry a source. Use it from one
// goroutine at a time.
type Backtest struct {
	scope  Scope
	after  *Aftermath
	first  map[netip.Addr]time.Time // first offences
	days   map[day]int
	result Outcome
	waits  []time.Duration
}

type day struct{ date, scenario string }

// DayBans counts the bans of one scenario on one day.
type DayBans struct {
	Day      string `json:"day"`
	Scenario string `json:"scenario"`
	Bans     int    `json:"bans"`
}

// Collateral is a banned source that later logged in, or whose mail was later
// accepted.
type Collateral struct {
	Value    string    `json:"value"`
	Scenario string    `json:"scenario"`
	Banned   time.Time `json:"banned"`
	Good     time.Time `json:"good"`
	Proof    string    `json:"proof"`
	InBan    bool      `json:"in_ban"` // while the ban lasted: the mail would have been lost
}

// Outcome is the result of a backtest.
type Outcome struct {
	From       time.Time      `json:"from,omitzero"`
	To         time.Time      `json:"to,omitzero"`
	Bans       int            `json:"bans"`    // values banned for the first time, or again after a ban
	Renewed    int            `json:"renewed"` // findings on a value while it was banned
	Alerts     int            `json:"alerts"`  // findings that ban nothing
	Holds      int            `json:"holds"`
	HeldBy     map[string]int `json:"held_by"` // by the guard's rule
	ByDay      []DayBans      `json:"by_day"`
	Offences   int            `json:"offences"`
	Prevented  int            `json:"prevented"`         // offences within bans
	MedianWait time.Duration  `json:"median_wait_ns"`    // from first offence to ban
	Longest    time.Duration  `json:"longest_wait_ns"`   //
	Good       int            `json:"collateral_count"`  // banned sources that turned out well
	Collateral []Collateral   `json:"collateral"`        // at most 1000 of them
	Values     []string       `json:"banned_values"`     // sorted
	Scenarios  map[string]int `json:"bans_by_scenario"`  //
	Unseen     int            `json:"offenders_dropped"` // offences of sources beyond those that are remembered
}

// NewBacktest returns a Backtest of the lines in the scope, with bans of the given
// duration.
func NewBacktest(scope Scope, duration time.Duration) *Backtest {
	return &Backtest{
		scope: scope, after: NewAftermath(duration), first: make(map[netip.Addr]time.Time), days: make(map[day]int),
		result: Outcome{HeldBy: map[string]int{}, Scenarios: map[string]int{}},
	}
}

// Add takes the next result and its findings. Findings that came in the silence of the
// log come first.
func (b *Backtest) Add(r engine.Result, findings []engine.Finding) {
	for len(findings) > 0 && findings[0].At.Before(r.Time) {
		b.AddFindings(findings[:1])
		findings = findings[1:]
	}
	b.takeBack(r.Excused())
	b.takeBack(r.Superseded())
	if (r.Outcome == event.Noted || r.Testimony == event.MailAccepted) && b.scope.Holds(&r.Event) {
		b.observe(r)
	}
	b.AddFindings(findings)
}

// observe counts one result.
func (b *Backtest) observe(r engine.Result) {
	widen(&b.result.From, &b.result.To, r.Time)
	if !r.Addr.IsValid() {
		return
	}
	if class := r.Kind.Class(); class == event.Hostile || class == event.Suspect {
		b.offence(r)
		return
	}
	if c, ok := b.after.Good(&r); ok {
		b.result.Good++
		if len(b.result.Collateral) < maxCollateral {
			b.result.Collateral = append(b.result.Collateral, c)
		}
	}
}

// offence counts an offence, as prevented if its source is banned.
func (b *Backtest) offence(r engine.Result) {
	if !r.Counts() {
		return
	}
	b.result.Offences += r.Attempts
	if b.after.Prevented(&r.Event) {
		b.result.Prevented += r.Attempts
	}
	if _, known := b.first[r.Addr]; known {
		return
	}
	if len(b.first) >= maxOffenders {
		b.result.Unseen++
		return
	}
	b.first[r.Addr] = r.Time
}

// takeBack subtracts offences that no longer count.
func (b *Backtest) takeBack(records []event.Record) {
	for i := range records {
		e := &records[i].Event
		if !b.scope.Holds(e) {
			continue
		}
		b.result.Offences -= e.Attempts
		if b.after.Prevented(e) {
			b.result.Prevented -= e.Attempts
		}
	}
}

// AddFindings takes findings that no line caused.
func (b *Backtest) AddFindings(findings []engine.Finding) {
	for _, f := range findings {
		switch f.Verdict.Action {
		case guard.Ban:
			b.ban(f)
		case guard.Hold:
			b.result.Holds++
			b.result.HeldBy[f.Verdict.Rule.String()]++
		case guard.Alert:
			b.result.Alerts++
		}
	}
}

// ban records a ban, or renews one.
func (b *Backtest) ban(f engine.Finding) {
	at := f.At
	if !b.after.Ban(&f) {
		b.result.Renewed++
		return
	}
	b.result.Bans++
	b.result.Scenarios[f.Alert.Scenario]++
	b.days[day{at.UTC().Format(time.DateOnly), f.Alert.Scenario}]++
	if first, known := b.first[f.Alert.Source]; known && len(b.waits) < maxOffenders {
		b.waits = append(b.waits, at.Sub(first))
	}
}

// Outcome returns the present result.
func (b *Backtest) Outcome() Outcome {
	o := b.result
	o.ByDay, o.Values = []DayBans{}, []string{}
	o.Collateral = append([]Collateral{}, o.Collateral...)
	for d, n := range b.days {
		o.ByDay = append(o.ByDay, DayBans{d.date, d.scenario, n})
	}
	slices.SortFunc(o.ByDay, func(a, c DayBans) int {
		if a.Day != c.Day {
			return strings.Compare(a.Day, c.Day)
		}
		return strings.Compare(a.Scenario, c.Scenario)
	})
	if len(b.waits) > 0 {
		waits := slices.Sorted(slices.Values(b.waits))
		o.MedianWait, o.Longest = waits[len(waits)/2], waits[len(waits)-1]
	}
	for one := range b.after.bans.all {
		o.Values = append(o.Values, valueText(one.value))
	}
	slices.Sort(o.Values)
	return o
}

func valueText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
