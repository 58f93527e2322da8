package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"csmail/pkg/hint"
)

// Files returns the inputs of the paths, "-" being stdin. Unreadable paths are refused
// before anything is read. The files come in the order of their modification, oldest
// first and stdin last, because sessions continue across rotated files.
func Files(paths []string, in io.Reader) ([]Input, error) {
	var files []*file
	var sources []Input
	for _, path := range paths {
		if path == "-" {
			if sources != nil {
				return nil, fmt.Errorf("stdin is named twice")
			}
			sources = []Input{&stdin{from: in}}
			continue
		}
		f, err := newFile(path)
		if err != nil {
			return nil, err
		}
		for _, other := range files {
			if os.SameFile(f.info, other.info) {
				return nil, hint.Wrap(fmt.Errorf("%q and %q are the same file", other.path, path),
					"name it once, or each line would count twice")
			}
		}
		files = append(files, f)
	}
	if err := refuseTwins(files); err != nil {
		return nil, err
	}
	slices.SortStableFunc(files, func(a, b *file) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	ordered := make([]Input, 0, len(paths))
	for _, f := range files {
		ordered = append(ordered, f)
	}
	return append(ordered, sources...), nil
}

// file is a log file, or a pipe that the shell made.
type file struct {
	path string
	info os.FileInfo
}

var _ Input = (*file)(nil)

func newFile(path string) (*file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if info.IsDir() {
		return nil, hint.Wrap(fmt.Errorf("%q is a directory", path), "name the files in it, like %s/mail.log*", path)
	}
	if info.Mode().IsRegular() {
		f, err := os.Open(path)
		if err != nil {
			return nil, openError(path, err)
		}
		f.Close()
	}
	return &file{path, info}, nil
}

// isAddress reports whether the name of a file was meant as the address of a client.
func isAddress(path string) bool {
	_, err := netip.ParseAddr(path)
	return err == nil
}

func openError(path string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	wrapped := fmt.Errorf("opening %q: %w", path, err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return hint.Wrap(wrapped, "run it with sudo, or join the group that may read the log (adm on Debian)")
	case errors.Is(err, fs.ErrNotExist) && isAddress(path):
		return hint.Wrap(wrapped, "to ask about an address: csmail why %s", path)
	case errors.Is(err, fs.ErrNotExist):
		return hint.Wrap(wrapped, "without a file name csmail reads the journal; --journal forces it")
	}
	return wrapped
}

func (f *file) Name() string { return f.path }

func (f *file) Size() int64 {
	if !f.info.Mode().IsRegular() {
		return -1
	}
	return f.info.Size()
}

func (f *file) Read(ctx context.Context, yield func(Block) error) error {
	if !f.info.Mode().IsRegular() {
		open := func() (io.ReadCloser, error) { return os.Open(f.path) }
		return readStream(ctx, f.path, interruptible(ctx, open), time.Now(), yield)
	}
	in, err := os.Open(f.path)
	if err != nil {
		return openError(f.path, err)
	}
	defer in.Close()
	return readStream(ctx, f.path, in, f.info.ModTime(), yield)
}

// readStream unpacks and cuts one stream into blocks.
func readStream(ctx context.Context, name string, in io.Reader, received time.Time, yield func(Block) error) error {
	counted := &countingReader{from: in}
	stream, err := unpack(counted)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, errJournalFile) {
		return hint.Wrap(fmt.Errorf("reading %q: %w", name, err), "csmail scan --journal-file %s", name)
	}
	if err != nil {
		return damaged(name, 0, err)
	}
	defer stream.close()
	dated := func() time.Time {
		if written := stream.written(); !written.IsZero() && written.Before(received) {
			return written
		}
		return received
	}
	fromYield := false
	b := blocks{from: entryForm(stream.Reader), received: dated, now: time.Now, consumed: counted.n.Load}
	err = b.each(ctx, func(block Block) error {
		err := yield(block)
		fromYield = err != nil
		return err
	})
	if err == nil || fromYield || context.Cause(ctx) != nil {
		return err
	}
	return damaged(name, b.line-1, err)
}

func damaged(name string, lines int64, err error) error {
	wrapped := fmt.Errorf("reading %q after line %d: %w", name, lines, err)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return hint.Wrap(wrapped, "the file ends in the middle: is it still being written, or was a copy cut short?")
	}
	return hint.Wrap(wrapped, "is the file damaged? gzip -t, xz -t or zstd -t tells")
}

// countingReader counts the bytes as they are stored, for progress.
type countingReader struct {
	from io.Reader
	n    atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n.Add(int64(n))
	return n, err
}
