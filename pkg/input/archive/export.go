package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// entryForm converts those forms of journalctl's output in which an entry has several
// lines to one JSON object a line, as with -o json. These forms are the export form
// (Journal Export Format, systemd.io/JOURNAL_EXPORT_FORMATS), -o json-pretty and -o
// json-sse. Read line by line they would be misread. For example, in the export form a
// MESSAGE with a newline, from any user of the host, could contain a line that looks
// like one of the log. Every other stream stays as it is.
func entryForm(r io.Reader) io.Reader {
	in, ok := r.(*bufio.Reader)
	if !ok {
		in = bufio.NewReaderSize(r, 64<<10)
	}
	first, _ := in.Peek(1) // an error shows again
	switch {
	case bytes.Equal(first, []byte("_")) && isExport(in):
		return &entryReader{next: (&exportReader{in: in}).entry}
	case bytes.Equal(first, []byte("{")):
		if start, _ := in.Peek(3); string(start) == "{\n\t" {
			return &entryReader{next: (&prettyReader{in: in}).entry}
		}
	case bytes.Equal(first, []byte("d")):
		if start, _ := in.Peek(len(eventStart)); string(start) == eventStart {
			return &entryReader{next: (&eventReader{in: in}).entry}
		}
	}
	return in
}

// isExport reports whether a stream begins with an address field of an entry, as
// journalctl and systemd-journal-remote write them first, or with a trusted field.
func isExport(in *bufio.Reader) bool {
	for _, name := range [...]string{"__CURSOR=", "__REALTIME_TIMESTAMP=", "__MONOTONIC_TIMESTAMP=", "_BOOT_ID=", "__SEQNUM="} {
		if start, _ := in.Peek(len(name)); string(start) == name {
			return true
		}
	}
	return false
}

// entryReader hands out the entries as lines.
type entryReader struct {
	next func(out *bytes.Buffer) error
	out  bytes.Buffer
}

func (r *entryReader) Read(p []byte) (int, error) {
	for r.out.Len() == 0 {
		r.out.Reset()
		if err := r.next(&r.out); err != nil {
			return 0, err
		}
	}
	return r.out.Read(p)
}

const (
	// maxField is how much of a field is kept. Postfix logs 2000 bytes at the most,
	// and as an array of numbers a byte takes four.
	maxField = 8 << 10
	// maxObject bounds an object of json-pretty, in bytes.
	maxObject = 1 << 20
)

// exportReader reads entries of the export form. Each field is a line NAME=VALUE, or,
// if the value holds a newline or is no text, a line NAME, the length in 64 bits,
// little-endian, and the value. An empty line ends the entry.
type exportReader struct{ in *bufio.Reader }

// entry reads one entry into out, as an object of the fields that are asked for.
func (r *exportReader) entry(out *bytes.Buffer) error {
	fields := map[string][]byte{}
	for started := false; ; started = true {
		line, err := readBounded(r.in, maxField)
		if errors.Is(err, io.EOF) && started {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if len(fields) == 0 { // an empty line more does no harm
				return nil
			}
			return writeObject(out, fields)
		}
		name, value, isText := bytes.Cut(line, []byte("="))
		if !isFieldName(name) {
			return fmt.Errorf("%.80q is no field of a journal entry", line)
		}
		if !isText {
			if value, err = r.binary(); err != nil {
				return err
			}
		}
		keepField(fields, string(name), value)
	}
}

func isFieldName(name []byte) bool {
	for _, c := range name {
		if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(name) > 0 && len(name) <= 64
}

// binary reads a length and a value of that length.
func (r *exportReader) binary() ([]byte, error) {
	var size [8]byte
	if _, err := io.ReadFull(r.in, size[:]); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > 1<<40 {
		return nil, fmt.Errorf("a journal entry with a field of %d bytes", n)
	}
	value := make([]byte, min(n, maxField))
	if _, err := io.ReadFull(r.in, value); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if _, err := io.CopyN(io.Discard, r.in, int64(n)-int64(len(value))); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if end, err := r.in.ReadByte(); err != nil || end != '\n' {
		return nil, errors.New("a journal entry with a field that does not end where it says")
	}
	return value, nil
}

// keepField keeps the fields that logline reads. A process may set a field several
// times, and then its value is ambiguous: -o json prints an array, and logline ignores
// the field.
func keepField(fields map[string][]byte, name string, value []byte) {
	if name != "__REALTIME_TIMESTAMP" && !strings.Contains(","+journalFields+",", ","+name+",") {
		return
	}
	if _, twice := fields[name]; twice {
		value = nil
	}
	fields[name] = bytes.Clone(value)
}

// writeObject writes an entry as journalctl -o json does: text as a string, all else
// as an array of byte values.
func writeObject(out *bytes.Buffer, fields map[string][]byte) error {
	object := map[string]any{}
	for name, value := range fields {
		switch {
		case value == nil:
			object[name] = nil
		case utf8.Valid(value):
			object[name] = string(value)
		default:
			numbers := make([]int, len(value))
			for i, b := range value {
				numbers[i] = int(b)
			}
			object[name] = numbers
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(object)
}

// prettyReader reads objects of json-pretty: one member a line, indented by a tab,
// between lines of one brace. No string of JSON holds a newline of its own.
type prettyReader struct{ in *bufio.Reader }

func (r *prettyReader) entry(out *bytes.Buffer) error {
	for started := false; ; started = true {
		line, err := readBounded(r.in, maxObject)
		if errors.Is(err, io.EOF) && started {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if out.Len() <= maxObject {
			out.Write(bytes.TrimLeft(line, "\t"))
		}
		if len(line) > 0 && line[0] != '\t' && line[0] != '{' {
			out.WriteByte('\n') // after a closing brace, or after text that is not an object
			return nil
		}
	}
}

// eventStart begins an entry of json-sse (server-sent events, data field).
const eventStart = "data: {"

// eventReader reads entries of json-sse, with empty lines between them.
type eventReader struct{ in *bufio.Reader }

func (r *eventReader) entry(out *bytes.Buffer) error {
	line, err := readBounded(r.in, maxObject)
	if err == nil && len(line) > 0 {
		out.Write(bytes.TrimPrefix(line, []byte("data: ")))
		out.WriteByte('\n')
	}
	return err
}

// readBounded reads a line without its newline, and keeps no more than limit bytes
// of it. io.EOF is the end of the stream at a line's start.
func readBounded(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		chunk, err := in.ReadSlice('\n')
		if len(line) < limit {
			line = append(line, chunk[:min(len(chunk), limit+1-len(line))]...)
		}
		switch {
		case err == nil:
			line = bytes.TrimSuffix(line, []byte("\n"))
			return line[:min(limit, len(line))], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}
