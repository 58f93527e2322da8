package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// observe is all that a store says and does, in one text.
func observe(s *Store, ids []string) (string, error) {
	var text bytes.Buffer
	cursors, err := s.Recover(
		whole(func(state []byte) error { _, err := fmt.Fprintf(&text, "state %s\n", state); return err }),
		func(in Input) error { _, err := fmt.Fprintln(&text, in.Source, in.Record.Message); return err },
	)
	fmt.Fprintln(&text, cursors)
	for _, list := range listBuckets() {
		entries, listErr := s.read(list, 0, 100)
		err = errors.Join(err, listErr)
		for _, e := range entries {
			fmt.Fprintln(&text, string(list), e.Seq, e.ID, e.Alert.Value(), e.Queued, e.Reason)
		}
	}
	recent, recentErr := s.Recent(100)
	running, runningErr := s.Running(nil, 100)
	fmt.Fprintln(&text, recent, running)
	for n := range 6 {
		told, historyErr := s.History(fmt.Sprint("192.0.2.", n), 100)
		err = errors.Join(err, historyErr)
		fmt.Fprintln(&text, told)
	}
	knownErr := s.view("", func(tx *bolt.Tx) error {
		for _, id := range ids { // one that is not known would be told again
			fmt.Fprintln(&text, id, tx.Bucket(knownBucket).Get([]byte(id)) != nil)
		}
		over := 0
		err := tx.Bucket(runningBucket).ForEach(func(k, end []byte) error { over += len(end); return nil })
		fmt.Fprintln(&text, over)
		return err
	})
	return text.String(), errors.Join(err, recentErr, runningErr, knownErr)
}

// Whichever bit of the file is flipped: either that is told, or everything is as it
// was. Nothing is lost and nothing doubled in silence.
func TestNoFlippedBitGoesUnnoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	p := used(t)
	s := open(t, p, Options{})
	must(t, s.Commit(Batch{Alerts: entries(4, 4)}))
	must(t, s.Settle([]Settlement{{Seq: 3, Number: "2", At: now.Add(time.Hour)}}))
	told, err := s.Recent(1)
	must(t, err)
	must(t, s.Looked(told[0], now, []Ban{{ID: 1, Type: "ban", Until: now.Add(2 * time.Hour)}}))
	must(t, s.Over(told[0]))
	must(t, s.Checkpoint(bytes.Repeat(sequence(), 3), s.Mark())) // a leaf of a single value
	must(t, s.Commit(Batch{Inputs: []Input{record(3)}}))
	var ids []string
	must(t, s.view("", func(tx *bolt.Tx) error {
		return tx.Bucket(knownBucket).ForEach(func(k, _ []byte) error { ids = append(ids, string(k)); return nil })
	}))
	want, err := observe(s, ids)
	must(t, err)
	must(t, s.Close())
	good, err := os.ReadFile(p)
	must(t, err)
	meta, err := newestMeta(bytes.NewReader(good))
	must(t, err)
	other := int(1-meta.transaction%2) * int(meta.pageSize) // its older sister says what was before
	noticed, dir := 0, t.TempDir()
	for bit := 0; bit < len(good)*8; bit += flipStep {
		if at := bit / 8; good[at] == 0 && at%4096 > 3072 || at/4096 == other/4096 || at/4096 == int(meta.transaction%2) {
			continue
		}
		bad := slices.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		p := filepath.Join(dir, strconv.Itoa(bit)) // a store that has seen damage keeps its lock
		must(t, os.WriteFile(p, bad, ownerOnly))
		got, err := observed(p, ids)
		must(t, os.Remove(p))
		if err != nil {
			noticed++
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Errorf("bit %d of byte %d: %v", bit%8, bit/8, err)
			}
			continue
		}
		if got != want {
			t.Errorf("bit %d of byte %d (%#x in page %d) is not noticed:\n%s\nbefore:\n%s", bit%8, bit/8, bit/8%4096, bit/8/4096, got, want)
		}
	}
	if noticed < 100 {
		t.Errorf("%d noticed, want at least 100", noticed)
	}
}

// flipStep is how many bits are passed over: all of them take a minute.
const flipStep = 199

func observed(p string, ids []string) (string, error) {
	s, err := Open(p, Options{})
	if err != nil {
		return "", err
	}
	defer s.Close()
	return observe(s, ids)
}
