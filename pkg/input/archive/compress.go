package archive

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory that a zstd or xz file may ask for; their own tools
// write windows of at most 128 and 64 MiB unless forced.
const maxWindow = 128 << 20

// unpacked is a stream without its compression.
type unpacked struct {
	io.Reader
	written func() time.Time // when the log was written, zero if the container does not say
	close   func()
}

// unpack looks at the first bytes, not at the name, and takes off gzip (RFC
// 1952), bzip2, xz or zstd (RFC 8878).
func unpack(r io.Reader) (unpacked, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return unpacked{}, err
	}
	plain := unpacked{Reader: in, written: untold, close: func() {}}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		m, err := newMembers(in)
		return unpacked{Reader: m, written: m.written, close: func() {}}, err
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		if n := xzDictionary(in); n > maxWindow {
			return unpacked{}, fmt.Errorf("it asks for %d bytes of memory, and may have %d", n, maxWindow)
		}
		z, err := xz.NewReader(in)
		return unpacked{Reader: z, written: untold, close: func() {}}, err
	case bytes.HasPrefix(magic, []byte("BZh")):
		return unpacked{Reader: bzip2.NewReader(in), written: untold, close: func() {}}, nil
	case bytes.HasPrefix(magic, []byte("LPKSHH")):
		return unpacked{}, errJournalFile
	case isZstd(magic):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow))
		if err != nil {
			return unpacked{}, err
		}
		return unpacked{Reader: z, written: untold, close: z.Close}, nil
	case bytes.HasPrefix(magic, []byte("\xef\xbb\xbf")):
		_, err := in.Discard(3)
		return plain, err
	}
	return plain, nil
}

// xzDictionary returns the dictionary size of the first block; 0 if it cannot be read.
// It is checked first, because xz allocates a dictionary of any size. Later blocks are
// written with the same one. (The .xz file format 1.2.1, sections 2.1.1, 3.1 and 5.3.1.)
func xzDictionary(in *bufio.Reader) uint64 {
	const streamHeader, lzma2 = 12, 0x21
	data, _ := in.Peek(streamHeader + 64)
	if len(data) < streamHeader+2 {
		return 0
	}
	flags, fields := data[streamHeader+1], data[streamHeader+2:]
	number := func() uint64 {
		n, length := binary.Uvarint(fields)
		fields = fields[max(length, 0):]
		return n
	}
	for _, sizeThere := range []byte{0x40, 0x80} { // of the block, packed and unpacked
		if flags&sizeThere != 0 {
			number()
		}
	}
	if number() != lzma2 || number() != 1 || len(fields) == 0 || fields[0] > 40 {
		return 0
	}
	bits := fields[0]
	return uint64(2|bits&1) << (bits/2 + 11)
}

func untold() time.Time { return time.Time{} }

// members reads a gzip file member by member, since each has the time at which its own
// log was written (RFC 1952 section 2.3.1, MTIME).
type members struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func newMembers(in *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(in)
	if err == nil {
		z.Multistream(false)
	}
	return &members{in, z}, err
}

func (m *members) written() time.Time { return m.z.ModTime }

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 && err == io.EOF {
			return n, nil // the next call finds the end again
		}
		if err != io.EOF {
			return n, err
		}
		if err := m.z.Reset(m.in); err != nil {
			return 0, err // io.EOF behind the last member
		}
		m.z.Multistream(false)
	}
}

// errJournalFile is systemd's binary journal, named like a log file.
var errJournalFile = errors.New("this is a journal, not a log file")

// isZstd reports whether the bytes begin a frame, or the skippable frame of pzstd (RFC
// 8878 sections 3.1.1 and 3.1.2).
func isZstd(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	frame := bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd})
	return frame || (magic[0]>>4 == 5 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18}))
}
