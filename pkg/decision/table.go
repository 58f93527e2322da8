package decision

import (
	"iter"
	"maps"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"
)

// DefaultLimit is how many decisions of others (the community's, of lists) a table
// holds, and again as many of the LAPI's own. CrowdSec sizes its bouncers for 100,000.
const DefaultLimit = 250_000

// Table holds decisions. Lookups may run at any time, from any goroutine; they see
// the table before a change or after it, never half of it. Changes (Apply, Expire,
// Restore) must come from one goroutine at a time.
//
// A view is never changed once it is published: a change makes a new one that shares
// all that stayed. Small changes copy only the nodes on their way; large ones copy the
// whole table once, which is cheaper from some hundred on.
type Table struct {
	view  atomic.Pointer[view]
	limit int

	byID         map[int64]*Decision // the writer's own
	local, other int
	refused      atomic.Uint64
}

// view is the state that readers see. Single addresses, the most frequent object of
// decisions, are kept apart from networks: an exact lookup is ten times as fast as one
// for all networks that contain an address.
type view struct {
	hosts    *bart.Table[*node]
	networks *bart.Table[*node]
	accounts map[string]*node
	size     int
}

// node is one decision on a network or account, and the others on the same.
type node struct {
	decision *Decision
	next     *node
}

// New returns an empty table. The limit bounds decisions of others and, apart from them,
// local ones, so that a long list cannot push out a local ban; 0 is [DefaultLimit].
func New(limit int) *Table {
	if limit <= 0 {
		limit = DefaultLimit
	}
	t := &Table{limit: limit, byID: map[int64]*Decision{}}
	t.view.Store(&view{hosts: &bart.Table[*node]{}, networks: &bart.Table[*node]{}, accounts: map[string]*node{}})
	return t
}

// Lookup returns the decision that counts for an address at a time.
func (t *Table) Lookup(addr netip.Addr, now time.Time) (Decision, bool) {
	var best *Decision
	t.view.Load().each(addr, func(n *node) { best = n.best(best, now) })
	return found(best)
}

// each goes through the lists of decisions that touch an address.
func (v *view) each(addr netip.Addr, f func(*node)) {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return
	}
	host := netip.PrefixFrom(addr, addr.BitLen())
	if n, found := v.hosts.Get(host); found {
		f(n)
	}
	if v.networks.Size() == 0 {
		return
	}
	for _, n := range v.networks.Supernets(host) {
		f(n)
	}
}

// LookupAccount returns the decision that counts for a login name at a time. The
// case of the name does not matter.
func (t *Table) LookupAccount(name string, now time.Time) (Decision, bool) {
	accounts := t.view.Load().accounts
	if len(accounts) == 0 {
		return Decision{}, false
	}
	return found(accounts[Fold(name)].best(nil, now))
}

func found(d *Decision) (Decision, bool) {
	if d == nil {
		return Decision{}, false
	}
	return *d, true
}

// best returns the strictest of the list and a decision from elsewhere, of those
// that still run and ask for something.
func (n *node) best(best *Decision, now time.Time) *Decision {
	for ; n != nil; n = n.next {
		d := n.decision
		if d.Type == Other || !d.Until.After(now) {
			continue
		}
		if best == nil || stricter(d, best) {
			best = d
		}
	}
	return best
}

func (n *node) without(id int64) *node {
	var rest *node
	for ; n != nil; n = n.next {
		if n.decision.ID != id {
			rest = &node{n.decision, rest}
		}
	}
	return rest
}

// Applied is the result of a change.
type Applied struct {
	Added, Changed, Removed int
	Refused                 int // not taken, for the table is full
}

// bulk is from how many changes on the whole table is copied at once.
const bulk = 128

// Apply adds decisions and removes those of the numbers; unknown numbers are ignored. A
// decision replaces an older one of the same number. Decisions that have already ended
// are not added. Additions come first: a number in both is removed.
func (t *Table) Apply(add []Decision, remove []int64, now time.Time) Applied {
	var a Applied
	edit := t.edit(len(add) + len(remove))
	for i := range add {
		t.put(edit, &add[i], now, &a)
	}
	for _, id := range remove {
		if t.drop(edit, id) {
			a.Removed++
		}
	}
	t.publish(edit)
	return a
}

// edit is a view in the making.
type edit struct {
	view
	persist        bool // the tables still share their nodes with the view before
	accountsCopied bool
}

func (t *Table) edit(changes int) *edit {
	e := &edit{view: *t.view.Load(), persist: changes < bulk}
	if !e.persist {
		e.hosts, e.networks = e.hosts.Clone(), e.networks.Clone()
	}
	return e
}

func (t *Table) publish(e *edit) {
	v := e.view
	v.size = len(t.byID)
	t.view.Store(&v)
}

func (t *Table) put(e *edit, d *Decision, now time.Time, a *Applied) {
	before := t.byID[d.ID]
	if !d.Until.After(now) {
		if t.drop(e, d.ID) {
			a.Removed++
		}
		return
	}
	if before == nil && *t.count(d) >= t.limit {
		a.Refused++
		t.refused.Add(1)
		return
	}
	if before != nil {
		if same(before, d) {
			return
		}
		t.drop(e, d.ID)
		a.Changed++
	} else {
		a.Added++
	}
	kept := *d
	t.byID[d.ID] = &kept
	*t.count(&kept)++
	e.change(&kept, func(n *node) *node { return &node{&kept, n} })
}

// same reports whether two versions of one decision agree. The LAPI rounds durations to
// seconds, so an end that moves by less is no difference.
func same(a, b *Decision) bool {
	moved := a.Until.Sub(b.Until).Abs()
	return a.Type == b.Type && a.Network == b.Network && a.Account == b.Account && moved < 5*time.Second
}

func (t *Table) count(d *Decision) *int {
	if d.IsLocal() {
		return &t.local
	}
	return &t.other
}

func (t *Table) drop(e *edit, id int64) bool {
	d := t.byID[id]
	if d == nil {
		return false
	}
	delete(t.byID, id)
	*t.count(d)--
	e.change(d, func(n *node) *node { return n.without(id) })
	return true
}

// change replaces the list that a decision belongs to.
func (e *edit) change(d *Decision, to func(*node) *node) {
	if d.Account != "" {
		e.changeAccount(d.Account, to)
		return
	}
	replace := func(n *node, _ bool) (*node, bool) {
		n = to(n)
		return n, n == nil
	}
	table := &e.networks
	if d.Network.IsSingleIP() {
		table = &e.hosts
	}
	if e.persist {
		*table = (*table).ModifyPersist(d.Network, replace)
		return
	}
	(*table).Modify(d.Network, replace)
}

func (e *edit) changeAccount(account string, to func(*node) *node) {
	if !e.accountsCopied {
		e.accounts, e.accountsCopied = maps.Clone(e.accounts), true
	}
	if n := to(e.accounts[account]); n != nil {
		e.accounts[account] = n
		return
	}
	delete(e.accounts, account)
}

// Expire removes ended decisions to give their memory back; lookups ignore them in any
// case. It goes through the whole table, so once a minute is enough.
func (t *Table) Expire(now time.Time) int {
	var ended []int64
	for id, d := range t.byID {
		if !d.Until.After(now) {
			ended = append(ended, id)
		}
	}
	if len(ended) == 0 {
		return 0
	}
	return t.Apply(nil, ended, now).Removed
}

// Len returns how many decisions there are. It may be called at any time.
func (t *Table) Len() int { return t.view.Load().size }

// Refused returns how many decisions were not taken since the start because the
// table was full. It may be called at any time.
func (t *Table) Refused() uint64 { return t.refused.Load() }

// Has reports whether there is a decision of the number. Only the writing goroutine may
// call it.
func (t *Table) Has(id int64) bool { return t.byID[id] != nil }

// All goes through all decisions, in no order. It is the writer's.
func (t *Table) All() iter.Seq[Decision] {
	return func(yield func(Decision) bool) {
		for _, d := range t.byID {
			if !yield(*d) {
				return
			}
		}
	}
}

// On returns every decision that runs and touches an address, for csmail why. It
// may be called at any time.
func (t *Table) On(addr netip.Addr, now time.Time) []Decision {
	var all []Decision
	t.view.Load().each(addr, func(n *node) {
		for ; n != nil; n = n.next {
			if n.decision.Until.After(now) {
				all = append(all, *n.decision)
			}
		}
	})
	return all
}
