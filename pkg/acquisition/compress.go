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
	written time.Time // when the log was written, if the container tells
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
	plain := unpacked{Reader: in, close: func() {}}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return unpacked{}, err
		}
		return unpacked{Reader: z, written: z.ModTime, close: func() { z.Close() }}, nil
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		z, err := xz.NewReader(in)
		return unpacked{Reader: z, close: func() {}}, err
	case bytes.HasPrefix(magic, []byte("BZh")):
		return unpacked{Reader: bzip2.NewReader(in), close: func() {}}, nil
	case bytes.HasPrefix(magic, []byte("LPKSHH")):
		return unpacked{}, errJournalFile
	case isZstd(magic):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(zstdMemory))
		if err != nil {
			return unpacked{}, err
		}
		return unpacked{Reader: z, close: z.Close}, nil
	case bytes.HasPrefix(magic, []byte("\xef\xbb\xbf")):
		_, err := in.Discard(3)
		return plain, err
	}
	return plain, nil
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
