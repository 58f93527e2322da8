package daily

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"

	"csmail/pkg/event"
)

// copies finds lines that a log holds twice. For example, rsyslog on Debian writes mail to
// mail.log and to syslog, and both are read, or two relays forward the same lines.
// Two equal lines of one process in the same microsecond are one line. Where stamps have
// full seconds a client may do the same twice within one, so there they are one line only
// once the log of their host has shown that it holds lines twice: by another line, or by a
// queue file that was opened again in the same second. This ends when few of the host's
// lines come twice: its log was doubled for a time only.
//
// A line replaces the oldest of the lines that share a row of the table with it.
type copies struct {
	seed maphash.Seed
	rows []copyRow
}

// copyRow holds the hashes of lines, the latest first.
type copyRow [4]uint64

// copyRows is the number of rows, so that a copy may come thousands of lines later. It is
// a power of 2.
const copyRows = 2048

func newCopies() copies { return copies{maphash.MakeSeed(), make([]copyRow, copyRows)} }

// isCopy reports whether the line came before, and remembers it.
func (t *Tracker) isCopy(r *event.Logged, f *event.Flow) bool {
	switch f.Kind {
	case event.FlowMessageID, event.FlowQueued, event.FlowRemoved: // change nothing the second time
		return false
	}
	h := t.queue.host(r.Host)
	hash := t.copies.hash(h, r, f)
	row := &t.copies.rows[hash%copyRows]
	at := slices.Index(row[:], hash)
	if at < 0 {
		*row = copyRow{hash, row[0], row[1], row[2]}
		if h.isTwice {
			h.sawSingle()
		}
		return false
	}
	h.single = max(h.single-2, 0)
	if r.Time.Nanosecond()%int(time.Millisecond) != 0 {
		h.isTwice = true
		return true
	}
	if !h.isTwice {
		return false
	}
	row[at] = 0 // the next equal line is another one, and the log holds it twice, too
	return true
}

// mostSingle is how many more lines may come once than come twice in a log that holds lines
// twice: its copies may come later by a second's lines.
const mostSingle = 1000

// sawSingle notes a line that is no copy in a log that holds lines twice. A copy makes up
// for two of them.
func (h *host) sawSingle() {
	if h.single++; h.single > mostSingle {
		h.isTwice, h.single = false, 0
	}
}

// hash returns a number, never 0, that is the same for equal lines of a host.
func (c *copies) hash(h *host, r *event.Logged, f *event.Flow) uint64 {
	addr := f.Addr.As16()
	sum := h.hash ^ uint64(r.PID)<<8 ^ uint64(f.Kind)
	sum = mix(sum, uint64(r.Time.UnixNano()))
	sum = mix(sum^binary.LittleEndian.Uint64(addr[:8]), binary.LittleEndian.Uint64(addr[8:]))
	for _, text := range [...]string{f.QueueID, f.Sender, f.Recipient, f.Client, f.Text} {
		if sum = bits.RotateLeft64(sum, 11); text != "" {
			sum ^= maphash.String(c.seed, text)
		}
	}
	return max(mix(sum, 1), 1)
}

// mix mixes a word into a sum.
func mix(sum, word uint64) uint64 {
	high, low := bits.Mul64(sum^0x9E3779B97F4A7C15, word^0xD6E8FEB86659FD93)
	return high ^ low
}

// opensAgain reports whether a queue file is opened a second time: the line is a copy.
func (m *mail) opensAgain(f *event.Flow, at moment) bool {
	return m.born == at && m.client == f.Addr && m.is(bySMTPD) == (f.Kind == event.FlowReceived)
}
