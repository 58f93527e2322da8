package health

import "slices"

const (
	// maxWords bounds whose word is remembered. The one who was silent longest goes.
	maxWords = 128
	// maxSigns bounds the signs that are held together to see whether several clients
	// met trouble. A client has one at a time.
	maxSigns = 16
	// strangersWord is for how long a client that never got in is believed, counted
	// from its first fault of the day: a night's outage that only a traveller notices,
	// but not a bot that brings its faults about for ever.
	strangersWord = 12 * hour
	// regularsWord is for how long one is believed that did get in before, though
	// others get in all the while: a database that knows some of the users is down.
	regularsWord = 2 * hour
	// causes is how many faults without a client are told apart, by what they complain
	// of: a line that a host logs each hour must not take its weight from that of a real
	// outage, nor may a client that finds words of its own to put into one be believed
	// more often than that.
	causes = 16
)

// Client is who met a fault of ours.
type Client struct {
	Key uint64 // its source; 0: the log names no client
	// Account is what a regular got in with before, 0 of a stranger. Two sources of
	// one account are one witness. (Whoever has one password has as many sources as
	// he likes.)
	Account uint64
	// Cause is a hash of what a fault without a client complains of.
	Cause uint64
}

func (c Client) isRegular() bool { return c.Key != 0 && c.Account != 0 }

func (c Client) identity() uint64 {
	switch {
	case c.Key == 0:
		return 1 + c.Cause%causes
	case c.Account != 0:
		return c.Account
	}
	return c.Key
}

// sign is the newest fault that one client met.
type sign struct {
	id       uint64
	at       uint32
	regular  bool
	believed bool // or without a client
}

func (s sign) isUnnamed() bool { return s.id <= causes }

// word is what a client's faults of one day were worth. A client can bring faults
// about: a guess too many makes Dovecot's penalty exceed Postfix's patience, a name
// can be one that a database chokes on. So a stranger who meets one again after
// others have got in has shown that the faults are his own, and for the rest of the
// day nobody takes his word.
type word struct {
	id          uint64
	first, last uint32 // fault
	burnt       bool
}

// doubt is trouble that may be ours or some client's doing: whatever the faults of
// strangers say, and those that name nobody. It ends as soon as somebody gets in.
type doubt struct {
	troubled
	signs []sign
	words []word
}

// hear takes a fault and reports whether the client is believed. othersIn is when
// somebody else got in last.
func (d *doubt) hear(c Client, at, othersIn uint32) bool {
	believed := d.believes(c, at, othersIn)
	s := sign{c.identity(), at, c.isRegular(), believed}
	d.signs = slices.DeleteFunc(d.signs, func(o sign) bool { return o.id == s.id || !isWithin(o.at, at, faultTogether) })
	if believed || s.isUnnamed() {
		d.addSign(s)
	}
	return believed
}

// addSign makes room at the cost of strangers: whoever has many addresses must not
// crowd out what regulars say.
func (d *doubt) addSign(s sign) {
	if len(d.signs) >= maxSigns {
		out := max(0, slices.IndexFunc(d.signs, func(o sign) bool { return !o.regular && !o.isUnnamed() }))
		d.signs = slices.Delete(d.signs, out, out+1)
	}
	d.signs = append(d.signs, s)
}

func (d *doubt) believes(c Client, at, othersIn uint32) bool {
	id := c.identity()
	i := slices.IndexFunc(d.words, func(w word) bool { return w.id == id })
	if i < 0 {
		d.addWord(word{id: id, first: at, last: at})
		return true
	}
	w := &d.words[i]
	if !isWithin(w.first, at, day) {
		*w = word{id: id, first: at, last: at}
		return true
	}
	refuted, since := othersIn > w.last, at-min(at, w.first)
	w.last = max(w.last, at)
	if c.isRegular() {
		w.burnt = w.burnt || refuted && since > regularsWord
	} else {
		w.burnt = w.burnt || refuted || since > strangersWord
	}
	return !w.burnt
}

func (d *doubt) addWord(w word) {
	if len(d.words) >= maxWords {
		oldest := 0
		for i := range d.words {
			if d.words[i].last < d.words[oldest].last {
				oldest = i
			}
		}
		d.words = slices.Delete(d.words, oldest, oldest+1)
	}
	d.words = append(d.words, w)
}

// witnesses counts the signs that are held together: regulars and strangers that are
// believed, and whether there is one without a client, and since when.
func (d *doubt) witnesses() (regulars, strangers int, unnamed bool, since uint32) {
	since = ^uint32(0)
	for _, s := range d.signs {
		switch {
		case s.isUnnamed():
			unnamed = true
		case s.regular:
			regulars++
		default:
			strangers++
		}
		since = min(since, s.at)
	}
	return regulars, strangers, unnamed, since
}
