package state

import (
	"encoding/binary"
	"fmt"
	"strings"

	"csmail/pkg/hint"

	bolt "go.etcd.io/bbolt"
)

// Outgoing is a batch that this host has to send to the judges of its cluster. The
// numbers of its facts begin with First and end before Next.
type Outgoing struct {
	First, Next uint64
	Data        []byte
}

// sending holds the batches that this host has to send.
type sending struct{ *file }

// outgoing counts the batches that are kept.
type outgoing struct {
	epoch        uint64 // of the file: larger in each; 0: nothing is sent
	oldest, next uint64 // numbers of the oldest fact that is kept, and of the next new one
	bytes        int64  // as stored
}

var outgoingKey, senderKey = []byte("outgoing"), []byte("outgoing sender")

// Sender is who sends the batches of a state file: its name in the cluster, and the ID of its
// machine (machine-id(5)), "" if it is not known.
type Sender struct{ Name, Machine string }

// StartOutgoing says that this host sends batches, and returns the epoch of its numbers:
// the one that is given, or that of an earlier start.
//
// It refuses a copy of the file of another edge. Such a host would send what the other one
// has yet to send, as if it were its own. A host that was renamed has its machine still, and
// a container has its name though its machine may be another one each time.
func (s *sending) StartOutgoing(epoch uint64, by Sender) (uint64, error) {
	err := s.update("start sending", func(tx *bolt.Tx, counted *change) error {
		out, err := readOutgoing(tx)
		if err == nil {
			err = startSender(tx, by)
		}
		if err != nil || out.epoch != 0 {
			return err
		}
		out.epoch = epoch
		counted.out = &out
		return out.put(tx)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.epoch, err
}

// startSender stores who sends, unless the file is another one's.
func startSender(tx *bolt.Tx, by Sender) error {
	meta := tx.Bucket(metaBucket)
	value := meta.Get(senderKey)
	if value != nil {
		b, err := unseal(senderKey, value)
		if err != nil {
			return fmt.Errorf("who sends the batches: %w", err)
		}
		name, machine, _ := strings.Cut(string(b), "\x00")
		if name != by.Name && machine != "" && by.Machine != "" && machine != by.Machine {
			return hint.Wrap(fmt.Errorf("the state file is a copy of that of the edge %q, and this is %q", name, by.Name),
				"a judge that is an edge too cannot go on with a copy: move the file away, and run csmail cluster judge adopt with it")
		}
	}
	return meta.Put(senderKey, seal(senderKey, []byte(by.Name+"\x00"+by.Machine)))
}

// putOutgoing adds batches, and refuses a gap between their numbers.
func putOutgoing(tx *bolt.Tx, batches []Outgoing, counted *change) error {
	if len(batches) == 0 {
		return nil
	}
	out, err := readOutgoing(tx)
	if err != nil {
		return err
	}
	bucket := tx.Bucket(outgoingBucket)
	bucket.FillPercent = 1 // keys only grow
	for _, b := range batches {
		if b.First != out.next || b.Next <= b.First {
			return fmt.Errorf("a batch of the facts from %d to %d, while the next is %d", b.First, b.Next, out.next)
		}
		k := key(b.First)
		if err := bucket.Put(k, seal(k, append(key(b.Next), b.Data...))); err != nil {
			return err
		}
		out.next, out.bytes = b.Next, out.bytes+int64(len(b.Data))
	}
	counted.out = &out
	return out.put(tx)
}

// put stores the numbers that countOutgoing reads.
func (o *outgoing) put(tx *bolt.Tx) error {
	var b []byte
	for _, n := range [...]uint64{o.epoch, o.oldest, o.next, uint64(o.bytes)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return tx.Bucket(metaBucket).Put(outgoingKey, seal(outgoingKey, b))
}

func readOutgoing(tx *bolt.Tx) (out outgoing, err error) {
	value := tx.Bucket(metaBucket).Get(outgoingKey)
	if value == nil {
		return out, nil
	}
	b, err := unseal(outgoingKey, value)
	if err == nil && len(b) != 32 {
		err = fmt.Errorf("%w: %d bytes", errDamaged, len(b))
	}
	if err != nil {
		return out, fmt.Errorf("the numbers of the batches to send: %w", err)
	}
	out.epoch, out.oldest = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	out.next, out.bytes = binary.BigEndian.Uint64(b[16:]), int64(binary.BigEndian.Uint64(b[24:]))
	return out, nil
}

// countOutgoing finds batches that contradict their numbers. A damaged one would be sent,
// or be missed, for ever.
func (s *file) countOutgoing(tx *bolt.Tx) error {
	out, err := readOutgoing(tx)
	if err != nil {
		return err
	}
	s.out = out
	bucket := tx.Bucket(outgoingBucket)
	if bucket == nil {
		return nil
	}
	next := out.oldest
	err = bucket.ForEach(func(k, v []byte) error {
		b, err := readBatch(k, v)
		if err == nil && (b.First > next || b.Next <= next) {
			err = fmt.Errorf("%w: a batch of the facts from %d to %d, while the next is %d", errDamaged, b.First, b.Next, next)
		}
		next = b.Next
		return err
	})
	if err == nil && next != out.next {
		err = fmt.Errorf("%w: the batches to send end with %d, and %d is next", errDamaged, next, out.next)
	}
	return err
}

func readBatch(k, v []byte) (Outgoing, error) {
	b, err := unseal(k, v)
	if err == nil && len(b) < 8 {
		err = fmt.Errorf("%w: a batch of %d bytes", errDamaged, len(b))
	}
	if err != nil {
		return Outgoing{}, err
	}
	return Outgoing{First: number(k), Next: binary.BigEndian.Uint64(b), Data: append([]byte{}, b[8:]...)}, nil
}

// OutgoingBatch returns the batch that holds a fact; false if there is none, since the
// fact is not there yet. Of a fact that is not kept any more it returns the oldest batch.
func (s *sending) OutgoingBatch(fact uint64) (b Outgoing, found bool, err error) {
	if _, next, _ := s.OutgoingBounds(); fact >= next {
		return b, false, nil
	}
	err = s.view("read a batch to send", func(tx *bolt.Tx) error {
		cursor := tx.Bucket(outgoingBucket).Cursor()
		k, v := cursor.Seek(key(fact))
		if k == nil || number(k) > fact {
			if k, v = cursor.Prev(); k == nil { // Seek went beyond the batch that holds it
				k, v = cursor.First()
			}
		}
		if k == nil {
			return nil
		}
		found = true
		b, err = readBatch(k, v)
		return err
	})
	return b, found, err
}

// OutgoingBounds returns the number of the oldest fact that is kept, that of the next new
// one, and how many bytes the batches take.
func (s *sending) OutgoingBounds() (oldest, next uint64, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.oldest, s.out.next, s.out.bytes
}

// DropOutgoing forgets the batches all of whose facts are before a number.
func (s *sending) DropOutgoing(before uint64) error {
	if oldest, _, _ := s.OutgoingBounds(); before <= oldest {
		return nil
	}
	return s.update("forget batches that were sent", func(tx *bolt.Tx, counted *change) error {
		out, err := readOutgoing(tx)
		if err != nil {
			return err
		}
		cursor := tx.Bucket(outgoingBucket).Cursor()
		for k, v := cursor.First(); k != nil; k, v = cursor.First() {
			b, err := readBatch(k, v)
			if err != nil {
				return err
			}
			if b.Next > before {
				break
			}
			if err := cursor.Delete(); err != nil {
				return err
			}
			out.oldest, out.bytes = b.Next, out.bytes-int64(len(b.Data))
		}
		counted.out = &out
		return out.put(tx)
	})
}
