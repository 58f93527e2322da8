package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// filled is a state file with branches, overflow, free pages and small buckets.
func filled(t *testing.T) []byte {
	t.Helper()
	p := path(t)
	s := open(t, p, Options{})
	for n := 1; n <= 4; n++ {
		var list []Entry
		for i := n * 50; i < n*50+50; i++ {
			e := entry(i)
			e.ID, e.Alert.Message = fmt.Sprint(i), strings.Repeat("x", 900)
			list = append(list, e)
		}
		must(t, s.Commit(Batch{Inputs: []Input{record(n)}, Alerts: list, Cursors: map[string]string{"mail.log": "1"}}))
		must(t, s.Checkpoint(bytes.Repeat(sequence(), 99), s.Mark()))
	}
	must(t, s.Close())
	data, err := os.ReadFile(p)
	must(t, err)
	return data
}

// sequence is what compresses badly.
func sequence() []byte {
	var data []byte
	for n := range uint64(999) {
		data = append(data, key(n*n*n*7919)...)
	}
	return data
}

// pagesOf lists the pages of a kind that are in use.
func pagesOf(t *testing.T, data []byte, flags uint16) []uint64 {
	t.Helper()
	meta, err := newestMeta(bytes.NewReader(data))
	must(t, err)
	s := &structure{file: bytes.NewReader(data), pageSize: meta.pageSize, used: make([]bool, meta.pages)}
	must(t, s.tree(meta.root, nil, nil))
	var ids []uint64
	for id := uint64(2); id < meta.pages; id++ {
		if at := id * meta.pageSize; s.used[id] && native.Uint64(data[at:]) == id && native.Uint16(data[at+8:]) == flags {
			ids = append(ids, id)
		}
	}
	if flags == freelistPage {
		ids = []uint64{meta.freelist}
	}
	if len(ids) == 0 {
		t.Fatalf("no page of the kind %#x", flags)
	}
	return ids
}

// Each of these makes bbolt take all memory, walk in a circle, or give pages of
// one value to another.
func TestDamagedStructure(t *testing.T) {
	t.Parallel()
	good := filled(t)
	must(t, checkPages(bytes.NewReader(good), int64(len(good))))
	const size = 4096
	for name, c := range map[string]struct {
		flags  uint16
		damage func(page []byte)
		want   string
	}{
		"too long a leaf":        {leafPage, func(p []byte) { native.PutUint32(p[12:], 1<<31) }, "pages long"},
		"a leaf of one more":     {leafPage, func(p []byte) { native.PutUint32(p[12:], native.Uint32(p[12:])+1) }, "page"},
		"another page's number":  {leafPage, func(p []byte) { p[0]++ }, "it says that it is page"},
		"a leaf of no kind":      {leafPage, func(p []byte) { p[8] = 0x40 }, "flags 0x40 in the tree"},
		"a leaf that is branch":  {leafPage, func(p []byte) { p[8] = branchPage }, "page"},
		"a value of no kind":     {leafPage, func(p []byte) { p[pageHeader+2] ^= 1 }, "flags 0x1000"},
		"a leaf without value":   {leafPage, func(p []byte) { native.PutUint16(p[10:], 0) }, "a leaf without a value"},
		"a value too many":       {leafPage, func(p []byte) { native.PutUint16(p[10:], native.Uint16(p[10:])+1) }, "element"},
		"many values":            {leafPage, func(p []byte) { native.PutUint16(p[10:], 0xFFFF) }, "65535 elements"},
		"a value elsewhere":      {leafPage, func(p []byte) { p[pageHeader+4]++ }, "element 0 lies from"},
		"no key":                 {leafPage, func(p []byte) { native.PutUint32(p[pageHeader+8:], 0) }, "element 0"},
		"a longer value":         {leafPage, func(p []byte) { native.PutUint32(p[pageHeader+12:], 1<<30) }, "element"},
		"a branch in a circle":   {branchPage, func(p []byte) { copy(p[pageHeader+8:], p[:8]) }, "it is used twice"},
		"a branch to nowhere":    {branchPage, func(p []byte) { native.PutUint64(p[pageHeader+8:], 1<<40) }, "the file has"},
		"a branch to its sister": {branchPage, func(p []byte) { copy(p[pageHeader+8:][:8], p[pageHeader+elementSize+8:]) }, "page"},
		"a branch without leaf":  {branchPage, func(p []byte) { native.PutUint16(p[10:], 0) }, "a branch without a leaf"},
		"a branch out of order":  {branchPage, func(p []byte) { p[pageHeader+elementSize+8] ^= p[pageHeader+8] }, "page"},
		"a free list of no kind": {freelistPage, func(p []byte) { p[8] = leafPage }, "not a list of free pages"},
		"a long free list":       {freelistPage, func(p []byte) { native.PutUint16(p[10:], 0xFFFE) }, "65534 free pages in"},
		"a longer free list": {freelistPage, func(p []byte) {
			native.PutUint16(p[10:], 0xFFFF)
			native.PutUint64(p[pageHeader:], 1<<60)
		}, "free pages in"},
		"a free page in use":  {freelistPage, func(p []byte) { native.PutUint64(p[pageHeader:], 1) }, "page 1 is free and in use"},
		"a free page nowhere": {freelistPage, func(p []byte) { native.PutUint64(p[pageHeader:], 1<<50) }, "or not there"},
	} {
		t.Run(name, func(t *testing.T) {
			tried := 0
			for _, id := range pagesOf(t, good, c.flags) {
				bad := slices.Clone(good)
				c.damage(bad[id*size:][:size])
				if bytes.Equal(bad, good) {
					continue
				}
				tried++
				err := checkPages(bytes.NewReader(bad), int64(len(bad)))
				if !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("page %d: %v, want %q", id, err, c.want)
				}
			}
			if tried == 0 {
				t.Error("no page was damaged")
			}
		})
	}
}

// A small bucket stands in the leaf of its name. One that seems to be empty has lost what
// it held.
func TestDamagedSmallBucket(t *testing.T) {
	p := used(t)
	data, err := os.ReadFile(p)
	must(t, err)
	meta, err := newestMeta(bytes.NewReader(data))
	must(t, err)
	tried := 0
	for at := int(meta.root*meta.pageSize) + pageHeader; at < int((meta.root+1)*meta.pageSize)-pageHeader; at++ {
		// flags and count of its page: a leaf of two
		if native.Uint16(data[at+8:]) != leafPage || native.Uint16(data[at+10:]) != 2 || native.Uint64(data[at:]) != 0 || native.Uint32(data[at+12:]) != 0 {
			continue
		}
		tried++
		bad := slices.Clone(data)
		native.PutUint16(bad[at+10:], 0)
		if err := checkPages(bytes.NewReader(bad), int64(len(bad))); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "bytes without a value") {
			t.Errorf("byte %d: %v, want %q, it to contain \"bytes without a value\"", at, err, errDamaged)
		}
	}
	if tried == 0 {
		t.Error("no bucket of two")
	}
}

func TestDamagedMeta(t *testing.T) {
	good := filled(t)
	older := slices.Clone(good)
	meta, err := newestMeta(bytes.NewReader(good))
	must(t, err)
	older[(meta.transaction%2)*meta.pageSize+pageHeader+metaSize-1] ^= 1 // its checksum
	if m, err := newestMeta(bytes.NewReader(older)); err != nil || m.transaction != meta.transaction-1 {
		t.Errorf("the other one: %v, %v, want transaction %v", m, err, meta.transaction-1)
	}
	none := slices.Clone(good)
	none[pageHeader]++
	none[meta.pageSize+pageHeader]++
	for name, data := range map[string][]byte{"none": none, "cut": good[:len(good)/2], "short": good[:50], "text": []byte("text")} {
		if err := checkPages(bytes.NewReader(data), int64(len(data))); !errors.Is(err, errDamaged) {
			t.Errorf("%s: got %v, want %q", name, err, errDamaged)
		}
	}
}

// The check waits for a writer to end, as opening does.
func TestStructureOfAFileInUse(t *testing.T) {
	p := path(t)
	db, err := bolt.Open(p, 0o600, nil)
	must(t, err)
	if err := checkStructure(p, 50*time.Millisecond); !errors.Is(err, berrors.ErrTimeout) {
		t.Errorf("got %v, want %q", err, berrors.ErrTimeout)
	}
	must(t, db.Close())
	must(t, checkStructure(p, 50*time.Millisecond))
	if err := checkStructure(filepath.Join(t.TempDir(), "none"), 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want %q", err, os.ErrNotExist)
	}
}
