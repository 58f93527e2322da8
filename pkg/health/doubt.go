package health

import "slices"

const (
	// maxWords is the number of clients per service with remembered credibility. At
	// the limit the one that has been silent longest is dropped.
	maxWords = 128
	// maxSigns is the number of clients whose newest fault is kept, to see whether
	// several met the same trouble.
	maxSigns = 16
	// strangersWord is for how long a client that never logged in is believed, counted
	// from its first fault within a day. It covers an outage at night that only one
	// traveller meets. A bot that causes faults for longer than that is no longer
	// believed.
	strangersWord = 12 * hour
	// regularsWord is for how long a client that logged in before is believed while
	// others log in. Such a fault is possible: for example, one of two user databases is
	// down.
	regularsWord = 2 * hour
	// causes is the number of classes into which faults without a client are sorted, by a
	// hash of their text. Each class is believed separately. So a fault that a host logs
	// every hour does not devalue the line of a real outage, and a client that can write
	// its own words into such a line is believed at most this often.
	causes = 16
)

// Client is the client that met a fault of this host.
type Client struct {
	Key uint64 // of its source; 0 if the log names no client
	// Account is the account that a regular client logged in with before, 0 for a
	// stranger. Two sources of one account are one witness, because a person with one
	// password can use any number of sources.
	Account uint64
	// Cause is a hash of the text of a fault that names no client.
	Cause uint64
}

// isRegular reports whether the client logged in before, which makes its faults credible.
func (c Client) isRegular() bool { return c.Key != 0 && c.Account != 0 }

// identity is the number under which the client's faults are counted: the class of the
// fault without a client (1 to causes), the account, or the source.
func (c Client) identity() uint64 {
	switch {
	case c.Key == 0:
		return 1 + c.Cause%causes
	case c.Account != 0:
		return c.Account
	}
	return c.Key
}

// sign is the newest fault that one client met. Several signs within faultTogether are
// evidence of an outage.
type sign struct {
	id       uint64
	at       uint32
	regular  bool
	believed bool // it counts as evidence
}

// isUnnamed reports whether the fault names no client.
func (s sign) isUnnamed() bool { return s.id <= causes }

// word is the credibility of one client for a day.
//
// A client can cause faults. For example, a guess too many makes Dovecot's penalty exceed
// Postfix's patience, or a login name is one that a database cannot handle. So a stranger
// that meets a fault, and then another one after others have logged in, has shown that
// the faults are its own doing. It is not believed for the rest of the day.
type word struct {
	id          uint64
	first, last uint32 // times of the first and the last fault of the day
	burnt       bool   // no longer believed
}

// doubt is trouble that is either the host's or some client's doing, because only
// strangers met it or the log names no client. It ends with the next client that logs in.
type doubt struct {
	troubled
	signs []sign
	words []word
}

// hear takes a fault of a client and reports whether the client is believed. othersIn is
// the time of the last login of any other client.
func (d *doubt) hear(c Client, at, othersIn uint32) bool {
	believed := d.believes(c, at, othersIn)
	s := sign{c.identity(), at, c.isRegular(), believed}
	d.signs = slices.DeleteFunc(d.signs, func(o sign) bool { return o.id == s.id || !isWithin(o.at, at, faultTogether) })
	if believed || s.isUnnamed() {
		d.addSign(s)
	}
	return believed
}

// addSign adds a sign. At the limit it drops a stranger's first: a client with many
// addresses must not displace the signs of regulars.
func (d *doubt) addSign(s sign) {
	if len(d.signs) >= maxSigns {
		out := max(0, slices.IndexFunc(d.signs, func(o sign) bool { return !o.regular && !o.isUnnamed() }))
		d.signs = slices.Delete(d.signs, out, out+1)
	}
	d.signs = append(d.signs, s)
}

// believes reports whether a fault of the client at a time counts as evidence, and
// remembers the fault.
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

// witnesses counts the signs within faultTogether: of regulars and of believed strangers.
// unnamed reports whether one names no client, and since is the time of the oldest.
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
