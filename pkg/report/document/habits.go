package document

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Habit is from where an account logged in during the last 30 days and how much it sent
// in its busiest hours. A login from elsewhere, or ten times as many mails, may be a
// thief's.
type Habit struct {
	Networks []HabitNetwork `json:"networks,omitempty"`
	Days     []HabitDay     `json:"days,omitempty"` // in the order that they came
}

// HabitNetwork is a network (/16 or /32) of logins.
type HabitNetwork struct {
	Addr  netip.Addr `json:"addr"`  // one of its addresses, to look its country up
	First string     `json:"first"` // the dates of the first and the last login
	Last  string     `json:"last"`
}

// HabitDay is one day of an account.
type HabitDay struct {
	Date     string `json:"date"`
	Networks int    `json:"networks,omitempty"` // that it logged in from
	Sent     int    `json:"sent,omitempty"`     // recipients in its busiest hour
}

// habits are those of all accounts, by name in lower case.
type habits struct {
	Accounts map[string]*Habit
	Since    string // the date from which on they are known
	pruned   string // the date up to which old ones were dropped; of the latest login, or before it
}

const (
	maxHabits        = 100_000 // accounts
	maxHabitNetworks = 32      // of an account
	habitDays        = 30
)

func newHabits() *habits { return &habits{Accounts: map[string]*Habit{}} }

// learn takes the habits shown by a window of one date.
func (h *habits) learn(date string, w *Window) {
	if h.Since == "" || date < h.Since {
		h.Since = date
	}
	switch next := daysBefore(h.pruned, -1); {
	case h.pruned == "":
		h.prune(date)
	case date > h.pruned:
		h.prune(min(date, next)) // a day at a time: the date may be wrong
	}
	for name, a := range w.watch.accounts {
		for _, addr := range a.from {
			if one := h.account(name); one != nil {
				one.loggedIn(date, addr)
			}
		}
	}
	for name, hours := range w.Figures.Sent {
		one := h.account(name)
		if one == nil {
			continue
		}
		day := one.day(date)
		for _, sent := range hours {
			day.Sent = max(day.Sent, sent.Recipients)
		}
	}
}

// account returns the habit of an account, nil where there are too many.
func (h *habits) account(name string) *Habit {
	one := h.Accounts[name]
	if one == nil && len(h.Accounts) < maxHabits {
		one = &Habit{}
		h.Accounts[strings.Clone(name)] = one
	}
	return one
}

// prune drops habits older than 30 days.
func (h *habits) prune(date string) {
	h.pruned = date
	oldest := daysBefore(date, habitDays)
	for name, one := range h.Accounts {
		one.Networks = slices.DeleteFunc(one.Networks, func(n HabitNetwork) bool { return n.Last < oldest })
		one.Days = slices.DeleteFunc(one.Days, func(d HabitDay) bool { return d.Date < oldest })
		if len(one.Networks)+len(one.Days) == 0 {
			delete(h.Accounts, name)
		}
	}
}

func (one *Habit) day(date string) *HabitDay {
	for i := range one.Days {
		if one.Days[i].Date == date {
			return &one.Days[i]
		}
	}
	one.Days = append(one.Days, HabitDay{Date: date})
	return &one.Days[len(one.Days)-1]
}

func (one *Habit) loggedIn(date string, addr netip.Addr) {
	network := providerOf(addr)
	at := slices.IndexFunc(one.Networks, func(n HabitNetwork) bool { return providerOf(n.Addr) == network })
	switch {
	case at >= 0:
		n := &one.Networks[at]
		if n.Last < date && n.Last < daysBefore(date, habitDays) {
			n.First = date // as if it were new
		}
		n.First, n.Last = min(n.First, date), max(n.Last, date)
	case len(one.Networks) < maxHabitNetworks:
		one.Networks = append(one.Networks, HabitNetwork{addr, date, date})
	default:
		return
	}
	count := 0
	for _, n := range one.Networks {
		if n.Last == date {
			count++
		}
	}
	day := one.day(date)
	day.Networks = max(day.Networks, count)
}

// before returns the habits before a date; ok is false if there are none.
func (one *Habit) before(date string) (known []netip.Addr, networks, sent int, ok bool) {
	if one == nil {
		return nil, 0, 0, false
	}
	oldest := daysBefore(date, habitDays)
	for _, n := range one.Networks {
		if n.First < date && n.Last >= oldest {
			known = append(known, n.Addr)
		}
	}
	for _, d := range one.Days {
		if d.Date < date && d.Date >= oldest {
			networks, sent, ok = max(networks, d.Networks), max(sent, d.Sent), true
		}
	}
	return known, networks, sent, ok
}

// Habits are the habits of the accounts of a window.
type Habits struct {
	Since    string            `json:"since"` // the date from which on they are known
	Accounts map[string]*Habit `json:"accounts"`
}

// of returns copies of the habits of some accounts.
func (h *habits) of(names []string) Habits {
	out := Habits{Since: h.Since, Accounts: map[string]*Habit{}}
	for _, name := range names {
		if one := h.Accounts[name]; one != nil {
			out.Accounts[name] = &Habit{slices.Clone(one.Networks), slices.Clone(one.Days)}
		}
	}
	return out
}

func daysBefore(date string, days int) string {
	at, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return at.AddDate(0, 0, -days).Format(time.DateOnly)
}
