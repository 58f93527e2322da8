package daily

import (
	"hash/maphash"

	"csmail/pkg/arena"
)

// mailTable finds the queue files of a host by their queue IDs. Each mail comes and goes,
// and a map grows and is made anew for it, so that it costs more than all that is counted
// of the mail.
type mailTable struct {
	index arena.Index
	rows  []*mail // by place, from 1 on
	free  []uint32
	seed  maphash.Seed // clients may choose the queue IDs that a log names

	latest *mail // mostly the next line is about it, too
}

// tablePlace is where a mail is in its table; the zero value: nowhere.
type tablePlace struct{ number, hash uint32 }

func newMailTable() mailTable { return mailTable{seed: maphash.MakeSeed()} }

func (t *mailTable) len() int { return t.index.Len() }

// find returns the mail of a queue ID, nil if there is none.
func (t *mailTable) find(id string) *mail {
	if m := t.latest; m != nil && m.place.number != 0 && m.id == id {
		return m
	}
	if n := t.number(id, t.hashOf(id)); n != 0 {
		t.latest = t.rows[n-1]
		return t.latest
	}
	return nil
}

func (t *mailTable) hashOf(id string) uint32 { return uint32(maphash.String(t.seed, id)) }

func (t *mailTable) number(id string, hash uint32) uint32 {
	n, at := t.index.First(hash)
	for n != 0 && t.rows[n-1].id != id {
		n, at = t.index.Next(hash, at)
	}
	return n
}

// put adds a mail, in place of an older one with its queue ID.
func (t *mailTable) put(m *mail) {
	hash := t.hashOf(m.id)
	n := t.number(m.id, hash)
	switch {
	case n != 0:
		t.rows[n-1].place = tablePlace{}
	case len(t.free) > 0:
		n, t.free = t.free[len(t.free)-1], t.free[:len(t.free)-1]
		t.index.Put(hash, n)
	default:
		t.rows = append(t.rows, nil)
		n = uint32(len(t.rows))
		t.index.Put(hash, n)
	}
	t.rows[n-1], m.place, t.latest = m, tablePlace{n, hash}, m
}

// drop takes out a mail, unless another is in its place.
func (t *mailTable) drop(m *mail) {
	if m.place.number == 0 {
		return
	}
	t.index.Remove(m.place.hash, m.place.number)
	t.rows[m.place.number-1] = nil
	t.free = append(t.free, m.place.number)
	m.place = tablePlace{}
	if t.latest == m {
		t.latest = nil
	}
}
