package file

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
	"csmail/pkg/wire"
)

const (
	// headSize is the number of bytes at the start of a file that distinguish it from
	// others. Log lines begin with a date, so a few lines differ.
	headSize = 1 << 10
	// markSize is the number of bytes before an offset that are compared, to see whether
	// the file still holds the text that was read up to there.
	markSize = 256
)

// fingerprint is the hash of a run of bytes.
type fingerprint struct {
	Len int    `json:"len"`
	Sum string `json:"sum,omitempty"`
}

// fingerprintOf returns the checksum of the first bytes of a file.
func fingerprintOf(b []byte) fingerprint {
	sum := sha256.Sum256(b)
	return fingerprint{len(b), hex.EncodeToString(sum[:12])}
}

// position is how far one file was read. Device and inode find it fast; its
// content decides, since inodes are used again and compression changes them.
type position struct {
	Device uint64      `json:"dev"`
	Inode  uint64      `json:"ino"`
	Offset int64       `json:"off"` // of the content, uncompressed; at a line's start unless Inside
	Head   fingerprint `json:"head"`
	Mark   fingerprint `json:"mark"`           // ends at Offset
	Inside bool        `json:"skip,omitempty"` // the rest of this line is not wanted
	Seen   time.Time   `json:"seen"`           // the file's mtime when it was read
	Done   bool        `json:"done,omitempty"` // finished: only newer files count
}

// identity returns device and inode (stat(2)).
func identity(info os.FileInfo) (device, inode uint64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Dev), s.Ino
	}
	return 0, 0
}

// sameFile reports whether a file has the device and inode of the position.
func (p position) sameFile(info os.FileInfo) bool {
	device, inode := identity(info)
	return p.Device == device && p.Inode == inode
}

// isPossible reports whether the package can have written the position. An invalid one
// could ask for any amount of memory by its lengths.
func (p position) isPossible() bool {
	return p.Head.Len >= 0 && p.Head.Len <= headSize && p.Mark.Len >= 0 && p.Mark.Len <= markSize && p.Offset >= 0
}

// filesCursor is the Cursor of files.
type filesCursor struct {
	Version int                   `json:"v"` // of the older form
	Time    time.Time             `json:"time"`
	Globs   []string              `json:"globs"`
	Logs    map[string][]position `json:"logs"` // oldest file first

	// Elsewhere is where sources of other names had read files to. It is not stored:
	// each start makes it of their cursors.
	Elsewhere []position `json:"elsewhere,omitempty"`
}

// filesPrefix begins a cursor of files. An older csmail wrote JSON, which begins with
// jsonPrefix and is of version filesVersion.
const (
	filesPrefix  = "files:"
	jsonPrefix   = `{"v":`
	filesVersion = 1
)

// isFilesCursor reports whether a cursor is one of files.
func isFilesCursor(c input.Cursor) bool {
	return strings.HasPrefix(string(c), filesPrefix) || strings.HasPrefix(string(c), jsonPrefix)
}

// encode returns the positions as a cursor.
func (c filesCursor) encode() input.Cursor {
	packed, err := wire.Store(c.encodeTo)
	if err != nil {
		return "" // cannot be: no position is out of range
	}
	return input.Cursor(filesPrefix + base64.StdEncoding.EncodeToString(packed))
}

func (c *filesCursor) encodeTo(w *wire.Stored) {
	w.Begin()
	w.Stamp(&c.Time)
	wire.List(&w.Codec, &c.Globs, w.Text)
	paths := slices.Sorted(maps.Keys(c.Logs))
	if w.Reading {
		c.Logs = map[string][]position{}
	}
	wire.List(&w.Codec, &paths, func(path *string) {
		w.Text(path)
		positions := c.Logs[*path]
		wire.List(&w.Codec, &positions, func(p *position) { p.encodeTo(w) })
		if w.Reading {
			c.Logs[*path] = positions
		}
	})
	wire.List(&w.Codec, &c.Elsewhere, func(p *position) { p.encodeTo(w) })
}

func (p *position) encodeTo(w *wire.Stored) {
	wire.Numbers(&w.Codec, &p.Device, &p.Inode)
	w.Int64s(&p.Offset)
	for _, f := range [...]*fingerprint{&p.Head, &p.Mark} {
		w.SignedInts(&f.Len)
		w.Text(&f.Sum)
	}
	w.Bools(&p.Inside, &p.Done)
	w.Stamp(&p.Seen)
}

// decodeFilesCursor reads a cursor, and names the remedy if a newer csmail wrote it.
func decodeFilesCursor(from input.Cursor) (c filesCursor, err error) {
	if from == "" {
		return c, nil
	}
	if text, ok := strings.CutPrefix(string(from), filesPrefix); ok {
		var packed []byte
		if packed, err = base64.StdEncoding.DecodeString(text); err == nil {
			err = wire.Load(packed, c.encodeTo)
		}
	} else if err = json.Unmarshal([]byte(from), &c); err == nil && c.Version != filesVersion {
		err = fmt.Errorf("version %d", c.Version)
	}
	for _, positions := range c.Logs {
		err = cmp.Or(err, checkPositions(positions))
	}
	err = cmp.Or(err, checkPositions(c.Elsewhere))
	if err != nil {
		return c, hint.Wrap(fmt.Errorf("the stored position %.80q is not one of files: %w", from, err),
			"was it stored by a newer csmail? without it the logs are read again from the start")
	}
	return c, nil
}

// checkPositions returns an error for positions that no csmail writes.
func checkPositions(positions []position) error {
	for _, p := range positions {
		if !p.isPossible() {
			return fmt.Errorf("bytes %d, %d and %d", p.Offset, p.Head.Len, p.Mark.Len)
		}
	}
	return nil
}

// ending keeps the last bytes that went through it.
type ending struct{ bytes []byte }

func (e *ending) Write(p []byte) (int, error) {
	if len(p) >= markSize {
		e.bytes = append(e.bytes[:0], p[len(p)-markSize:]...)
		return len(p), nil
	}
	e.bytes = append(e.bytes, p...)
	if over := len(e.bytes) - markSize; over > 0 {
		e.bytes = e.bytes[:copy(e.bytes, e.bytes[over:])]
	}
	return len(p), nil
}

// readAt reads exactly n bytes at offset; false if the file is shorter.
func readAt(r io.ReaderAt, offset int64, n int) ([]byte, bool) {
	b := make([]byte, n)
	got, _ := r.ReadAt(b, offset)
	return b, got == n
}
