package guard

import (
	"maps"
	"slices"

	"csmail/pkg/event"
)

// maxBroken bounds the break-ins that are remembered. They are rare; where there are more,
// all are forgotten, and a login counts as any other until the next is found.
const maxBroken = 10_000

// broken remembers break-ins, so that the login of the next day does not make a proven
// source of an attacker who has a password by then. The problem is the honest twin: who
// moved house, mistyped a dozen times and then logged in each day looks the same at
// first. What tells them apart is the account's other home. While the account logs in
// elsewhere too, its owner is there, and logins from the source of the break-in prove
// nothing; when it has logged in nowhere else for as long as a login proves, they do.
type broken struct {
	in    map[uint64][]event.AccountHash // the accounts by the source that broke into them
	homes map[uint64][]account           // by the name's hash: their last logins elsewhere, 0 for none
	n     int                            // of the accounts in all of in
}

// note takes a break-in, and when the account logged in elsewhere last.
func (b *broken) note(key uint64, name event.AccountHash, home uint32) {
	if b.has(key, name) {
		return
	}
	b.makeRoom()
	b.in[key] = append(b.in[key], name)
	b.n++
	if !b.atHome(name, home) {
		b.homes[name.Name] = append(b.homes[name.Name], account{name: name, at: home})
	}
}

// has reports whether a source is known to have broken into an account.
func (b *broken) has(key uint64, name event.AccountHash) bool {
	return slices.ContainsFunc(b.in[key], name.Is)
}

// makeRoom forgets everything if there is no room for one more break-in.
func (b *broken) makeRoom() {
	if b.in == nil || b.n >= maxBroken {
		*b = broken{in: map[uint64][]event.AccountHash{}, homes: map[uint64][]account{}}
	}
}

// atHome notes a login of an account elsewhere, and reports whether a source broke into it.
func (b *broken) atHome(name event.AccountHash, at uint32) (known bool) {
	for i := range b.homes[name.Name] {
		if home := &b.homes[name.Name][i]; home.name.Is(name) {
			home.at, known = max(home.at, at), true
		}
	}
	return known
}

// forget takes a person's word for a source.
func (b *broken) forget(key uint64) {
	b.n -= len(b.in[key])
	delete(b.in, key)
}

// loggedIn takes a login that is no break-in, and reports whether it is one with a
// password that its source had guessed, while the owner has another home. A login of
// which the log names no account may be of each that the source broke into.
func (b *broken) loggedIn(key uint64, name event.AccountHash, at, proves uint32) bool {
	if b.n == 0 {
		return false
	}
	into := b.in[key]
	if !name.IsZero() && !slices.ContainsFunc(into, name.Is) {
		b.atHome(name, at)
		return false
	}
	return slices.ContainsFunc(into, func(broke event.AccountHash) bool {
		hasHome := broke.IsZero() || isWithin(latest(b.homes[broke.Name], broke), at, proves)
		return hasHome && (name.IsZero() || broke.Is(name))
	})
}

// homeOf returns when an account logged in last from any source but one, 0 for never.
func (k *knowledge) homeOf(name event.AccountHash, except uint64) (at uint32) {
	if name.IsZero() {
		return 0
	}
	for s := range k.memory.all {
		if s.key != except {
			at = max(at, latest(k.memory.accountsIn(s.accounts), name))
		}
	}
	return at
}

// isGuessed notes a login that came after guesses, which are none of most logins. It
// reports whether the login proves nothing, since its password may be a guessed one: that
// of a break-in, or of a later login from there.
func (k *knowledge) isGuessed(g Guesses, key uint64, name event.AccountHash, at uint32) bool {
	if g.N == 0 {
		return k.broken.loggedIn(key, name, at, k.limits.login)
	}
	if b := &k.broken; !b.has(key, name) {
		b.makeRoom()
		var home uint32
		if !b.atHome(name, 0) { // else its logins elsewhere are noted already
			home = k.homeOf(name, key)
		}
		b.note(key, name, home)
	}
	return true
}

// brokenInto writes or reads the break-ins, the same ones in the same bytes.
func (c *codec) brokenInto(b *broken) {
	keys := slices.Sorted(maps.Keys(b.in))
	list(c, &keys, func(key *uint64) {
		numbers(c, key)
		accounts := b.in[*key]
		list(c, &accounts, func(name *event.AccountHash) {
			home := latest(b.homes[name.Name], *name)
			c.accountHash(name)
			numbers(c, &home)
			if c.Reading && c.Err == nil {
				b.note(*key, *name, home)
			}
		})
	})
}
