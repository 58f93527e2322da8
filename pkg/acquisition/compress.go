package acquisition

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// zstdMemory bounds what a zstd file may ask for; zstd's own tools write
// windows of at most 128 MiB unless forced.
const zstdMemory = 128 << 20

// unpacked is a stream without its compression.
type unpacked struct {
	io.Reader
	written func() time.Time // when the log was written, zero if the container does not tell
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
		z, err := xz.NewReader(in)
		return unpacked{Reader: z, written: untold, close: func() {}}, err
	case bytes.HasPrefix(magic, []byte("BZh")):
		return unpacked{Reader: bzip2.NewReader(in), written: untold, close: func() {}}, nil
	case bytes.HasPrefix(magic, []byte("LPKSHH")):
		return unpacked{}, errJournalFile
	case isZstd(magic):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(zstdMemory))
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

func untold() time.Time { return time.Time{} }

// members reads a gzip file member by member, since each tells when its own
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

// isZstd knows a frame, and the skippable frame that pzstd begins with (RFC
// 8878 sections 3.1.1 and 3.1.2).
func isZstd(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	frame := bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd})
	return frame || (magic[0]>>4 == 5 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18}))
}
