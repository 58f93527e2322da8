package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"
	"time"

	berrors "go.etcd.io/bbolt/errors"
)

// bbolt trusts the pages of its file: a damaged count makes it take all memory, a
// damaged pointer makes it walk in a circle, and neither can be recovered from. So
// the structure is checked before bbolt sees the file: each page that the newest
// meta page leads to is of its kind, within the file and used once, its keys are
// in order, and no free page is in use. (Layout: bbolt v1.5.0, internal/common;
// the values have checksums of their own, see seal.)

const (
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	pageHeader    = 16 // id, flags, count, overflow
	elementSize   = 16 // of branch and leaf pages
	bucketHeader  = 16 // root page, sequence
	metaSize      = 64 // without the page's header
	maxKeySize    = 32768
	manyFreePages = 0xFFFF // the count stands in the first element

	lockRetry = 20 * time.Millisecond
)

var native = binary.NativeEndian

// checkStructure reads a file that no process is writing. Errors are errDamaged,
// berrors.ErrTimeout or the system's.
func checkStructure(path string, timeout time.Duration) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // gives the lock up, too
	if err := lock(f, syscall.LOCK_SH, timeout); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return checkPages(f, info.Size())
}

// lock waits for a lock of flock(2), LOCK_SH or LOCK_EX.
func lock(f *os.File, how int, timeout time.Duration) error {
	for end := time.Now().Add(timeout); ; time.Sleep(lockRetry) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(end) {
			return berrors.ErrTimeout
		}
	}
}

// structure is the state of a check: it marks each page that is in use.
type structure struct {
	file     io.ReaderAt
	pageSize uint64
	used     []bool // by page
	isNew    bool   // bbolt makes a file with an empty leaf, before its first transaction
}

// page is one page with its overflow.
type page struct {
	id    uint64
	flags uint16
	count int
	data  []byte // header and all
}

// checkPages walks the tree from the newest meta page, and then reads the list of free
// pages. Each page must be used exactly once.
func checkPages(file io.ReaderAt, size int64) error {
	meta, err := newestMeta(file)
	if err != nil {
		return err
	}
	if meta.pages > uint64(size)/meta.pageSize {
		return damagedPage(0, "the file is cut: %d pages of %d", uint64(size)/meta.pageSize, meta.pages)
	}
	s := &structure{file: file, pageSize: meta.pageSize, used: make([]bool, meta.pages)}
	s.used[0], s.used[1] = true, true
	s.isNew = meta.transaction <= 1
	if err := s.tree(meta.root, nil, nil); err != nil {
		return err
	}
	return s.freelist(meta.freelist)
}

// metaPage holds the fields of a meta page that the check needs.
type metaPage struct {
	pageSize, root, freelist, pages, transaction uint64
}

// newestMeta chooses between the two meta pages as bbolt does: the valid one of
// the higher transaction. The second one's place depends on the page size.
func newestMeta(file io.ReaderAt) (metaPage, error) {
	var newest metaPage
	found := false
	for at := int64(0); at <= 64<<10; at = max(1024, at*2) {
		data := make([]byte, pageHeader+metaSize)
		if _, err := file.ReadAt(data, at); err != nil && !errors.Is(err, io.EOF) {
			return metaPage{}, err
		}
		m, ok := readMeta(data[pageHeader:])
		if ok && (at == 0 || uint64(at) == m.pageSize) && (!found || m.transaction > newest.transaction) {
			newest, found = m, true
		}
	}
	if !found || newest.pageSize < 1024 || newest.pages < 2 {
		return metaPage{}, fmt.Errorf("%w: no valid meta page", errDamaged)
	}
	return newest, nil
}

// readMeta decodes a meta page, and reports whether its magic number, version and
// checksum are right (bbolt, internal/common/meta.go).
func readMeta(data []byte) (metaPage, bool) {
	const magic, version, checked = 0xED0CDAED, 2, 56
	sum := fnv.New64a()
	sum.Write(data[:checked])
	ok := native.Uint32(data) == magic && native.Uint32(data[4:]) == version && native.Uint64(data[checked:]) == sum.Sum64()
	return metaPage{
		pageSize: uint64(native.Uint32(data[8:])),
		root:     native.Uint64(data[16:]), freelist: native.Uint64(data[32:]),
		pages: native.Uint64(data[40:]), transaction: native.Uint64(data[48:]),
	}, ok
}

func damagedPage(id uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", errDamaged, id, fmt.Sprintf(format, args...))
}

// take reads a page, and takes it and its overflow out of those that are left.
func (s *structure) take(id uint64) (page, error) {
	pages := uint64(len(s.used))
	if id >= pages {
		return page{}, damagedPage(id, "the file has %d", pages)
	}
	header := make([]byte, pageHeader)
	if _, err := s.file.ReadAt(header, int64(id*s.pageSize)); err != nil {
		return page{}, err
	}
	span := uint64(native.Uint32(header[12:])) + 1
	if native.Uint64(header) != id || id+span > pages {
		return page{}, damagedPage(id, "it says that it is page %d and %d pages long", native.Uint64(header), span)
	}
	for n := id; n < id+span; n++ {
		if s.used[n] {
			return page{}, damagedPage(n, "it is used twice")
		}
		s.used[n] = true
	}
	p := page{id: id, flags: native.Uint16(header[8:]), count: int(native.Uint16(header[10:]))}
	p.data = make([]byte, span*s.pageSize)
	_, err := s.file.ReadAt(p.data, int64(id*s.pageSize))
	return p, err
}

// tree checks the page and all below it. Its keys are not before low, and before
// high unless that is nil.
func (s *structure) tree(id uint64, low, high []byte) error {
	p, err := s.take(id)
	if err != nil {
		return err
	}
	switch p.flags {
	case leafPage:
		if p.count == 0 && !s.isNew {
			return damagedPage(id, "a leaf without a value")
		}
		return s.leaf(p, low, high)
	case branchPage:
		return s.branch(p, low, high)
	}
	return damagedPage(id, "flags %#x in the tree", p.flags)
}

// branch checks a page with the keys and numbers of further pages. low and high are the
// bounds of its keys, nil: none.
func (s *structure) branch(p page, low, high []byte) error {
	keys, err := p.elements(low, high, func(e []byte) (position, keySize, valueSize uint32) {
		return native.Uint32(e), native.Uint32(e[4:]), 0
	})
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return damagedPage(p.id, "a branch without a leaf")
	}
	for i, e := range keys {
		end := high
		if i+1 < len(keys) {
			end = keys[i+1].key
		}
		if err := s.tree(native.Uint64(p.element(i)[8:]), e.key, end); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks a page of keys and values, and the buckets among the values.
func (s *structure) leaf(p page, low, high []byte) error {
	pairs, err := p.elements(low, high, func(e []byte) (position, keySize, valueSize uint32) {
		return native.Uint32(e[4:]), native.Uint32(e[8:]), native.Uint32(e[12:])
	})
	if err != nil {
		return err
	}
	for i, e := range pairs {
		switch flags := native.Uint32(p.element(i)); {
		case flags > 1:
			return damagedPage(p.id, "flags %#x of a value", flags)
		case flags == 1:
			if err := s.bucket(p.id, e.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// bucket checks a value that is a bucket. Its root page is inline behind its header, or
// elsewhere in the file.
func (s *structure) bucket(in uint64, value []byte) error {
	if len(value) < bucketHeader {
		return damagedPage(in, "a bucket of %d bytes", len(value))
	}
	if root := native.Uint64(value); root != 0 {
		return s.tree(root, nil, nil)
	}
	data := value[bucketHeader:]
	if len(data) < pageHeader || native.Uint16(data[8:]) != leafPage || native.Uint32(data[12:]) != 0 {
		return damagedPage(in, "a bucket without a leaf")
	}
	if native.Uint16(data[10:]) == 0 && len(data) > pageHeader {
		return damagedPage(in, "a bucket of %d bytes without a value", len(data))
	}
	return s.leaf(page{id: in, count: int(native.Uint16(data[10:])), data: data}, nil, nil)
}

func (p page) element(i int) []byte {
	return p.data[pageHeader+i*elementSize:][:elementSize]
}

type pair struct{ key, value []byte }

// elements checks that keys and values lie one behind the other after the
// elements, and that the keys are in order.
func (p page) elements(low, high []byte, read func(element []byte) (position, keySize, valueSize uint32)) ([]pair, error) {
	next := pageHeader + p.count*elementSize
	if next > len(p.data) {
		return nil, damagedPage(p.id, "%d elements in %d bytes", p.count, len(p.data))
	}
	pairs := make([]pair, 0, p.count)
	for i := range p.count {
		position, keySize, valueSize := read(p.element(i))
		at := pageHeader + i*elementSize + int(position)
		end := at + int(keySize) + int(valueSize)
		if at != next || keySize == 0 || keySize > maxKeySize || end > len(p.data) {
			return nil, damagedPage(p.id, "element %d lies from %d to %d in %d bytes", i, at, end, len(p.data))
		}
		key := p.data[at:][:keySize]
		if i == 0 && bytes.Compare(key, low) < 0 || i > 0 && bytes.Compare(key, pairs[i-1].key) <= 0 ||
			high != nil && bytes.Compare(key, high) >= 0 {
			return nil, damagedPage(p.id, "key %d is out of order", i)
		}
		pairs = append(pairs, pair{key, p.data[at+int(keySize) : end]})
		next = end
	}
	return pairs, nil
}

// freelist checks the list of free pages. A page in it must not be in the tree, or bbolt
// would overwrite data.
func (s *structure) freelist(id uint64) error {
	p, err := s.take(id)
	if err != nil {
		return err
	}
	if p.flags != freelistPage {
		return damagedPage(id, "flags %#x, not a list of free pages", p.flags)
	}
	ids, count := p.data[pageHeader:], uint64(p.count)
	if count == manyFreePages {
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return damagedPage(id, "%d free pages in %d bytes", count, len(ids))
	}
	for i := range count {
		free := native.Uint64(ids[i*8:])
		if free >= uint64(len(s.used)) || s.used[free] {
			return damagedPage(id, "page %d is free and in use, or not there", free)
		}
		s.used[free] = true
	}
	return nil
}
