package archive

import "io"

// JournalFields are the fields that logline reads (systemd.journal-fields(7)),
// as journalctl's --output-fields takes them.
const JournalFields = journalFields

// Unpack removes the compression that the first bytes of r show (gzip, bzip2, xz, zstd),
// if any. Closing the result does not close r.
func Unpack(r io.Reader) (io.ReadCloser, error) {
	stream, err := unpack(r)
	if err != nil {
		return nil, err
	}
	return unpackedCloser{stream}, nil
}

type unpackedCloser struct{ unpacked }

func (u unpackedCloser) Close() error {
	u.close()
	return nil
}
