package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Stream writes one large value as indented JSON, escaped as EscapedJSON does, element by
// element. The problem: [json.Encoder] builds the whole text in memory, and once more for
// its indents, and the lists of a report of a flood have hundreds of thousands of
// elements. The text is that of an encoder with an indent of two blanks.
//
//	s := render.NewStream(w)
//	s.Fields(reflect.ValueOf(document), render.Member{"attackers", func() { … }})
//	err := s.Close()
type Stream struct {
	w       io.Writer
	out     []byte // not written yet
	depth   int
	one     bytes.Buffer // an element without indents
	encoder *json.Encoder
	err     error // the first one
}

// streamPiece is how many bytes are written at a time.
const streamPiece = 64 << 10

// NewStream returns a Stream to w.
func NewStream(w io.Writer) *Stream {
	s := &Stream{w: EscapedJSON(w)}
	s.encoder = json.NewEncoder(&s.one)
	s.encoder.SetEscapeHTML(false)
	return s
}

// Close writes the rest, with a line feed at its end, and returns the first error.
func (s *Stream) Close() error {
	s.out = append(s.out, '\n')
	s.flush(0)
	return s.err
}

// flush writes the text so far if it has more than so many bytes. It may be called only
// between elements, so that no character is cut.
func (s *Stream) flush(most int) {
	if len(s.out) <= most {
		return
	}
	if s.err == nil {
		_, s.err = s.w.Write(s.out)
	}
	s.out = s.out[:0]
}

// Value writes a value. Its lists and maps may be long.
func (s *Stream) Value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Int:
		if v.Type() != reflect.TypeFor[int]() {
			s.Whole(v.Interface())
			return
		}
		s.out = strconv.AppendInt(s.out, v.Int(), 10)
	case reflect.Slice:
		if v.Len() == 0 || isMarshaler(v.Type()) {
			s.Whole(v.Interface())
			return
		}
		s.List(v.Len(), func(i int) { s.Value(v.Index(i)) })
	case reflect.Map:
		if v.Len() == 0 || v.Type().Key().Kind() != reflect.String || isMarshaler(v.Type()) {
			s.Whole(v.Interface())
			return
		}
		s.pairs(v)
	case reflect.Pointer:
		if v.IsNil() || !isLong(v.Type()) {
			s.Whole(v.Interface())
			return
		}
		s.Value(v.Elem())
	case reflect.Struct:
		if !isLong(v.Type()) {
			s.Whole(v.Interface())
			return
		}
		s.Fields(v)
	default:
		s.Whole(v.Interface())
	}
}

// Whole writes a value that is short.
func (s *Stream) Whole(value any) {
	s.one.Reset()
	if err := s.encoder.Encode(value); err != nil {
		s.err = cmp.Or(s.err, err)
		return
	}
	s.out = appendIndented(s.out, bytes.TrimSuffix(s.one.Bytes(), []byte{'\n'}), s.depth)
}

// List writes an array of so many elements, each of which write writes.
func (s *Stream) List(length int, write func(i int)) {
	if length == 0 {
		s.out = append(s.out, "[]"...)
		return
	}
	s.out = append(s.out, '[')
	s.depth++
	for i := range length {
		s.next(i == 0)
		write(i)
	}
	s.end(']')
}

// pairs writes a map with its keys in order.
func (s *Stream) pairs(v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	s.out = append(s.out, '{')
	s.depth++
	for i, key := range keys {
		s.next(i == 0)
		s.key(key.String())
		s.Value(v.MapIndex(key))
	}
	s.end('}')
}

// Member is a name of an object, with the function for its value.
type Member struct {
	Name  string
	Write func()
}

// Fields writes a struct, which must have no embedded one, and more members behind its
// fields. One of the name of a field is in place of it.
func (s *Stream) Fields(v reflect.Value, more ...Member) {
	s.out = append(s.out, '{')
	s.depth++
	first := true
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		isReplaced := slices.ContainsFunc(more, func(m Member) bool { return m.Name == name })
		if name == "" || name == "-" || isReplaced || isOmitted(v.Field(i), options) {
			continue
		}
		s.next(first)
		first = false
		s.key(name)
		s.Value(v.Field(i))
	}
	for _, m := range more {
		s.next(first)
		first = false
		s.key(m.Name)
		m.Write()
	}
	s.end('}')
}

// key writes the name of the value that comes next.
func (s *Stream) key(name string) {
	s.Whole(name)
	s.out = append(s.out, ": "...)
}

// next begins an element.
func (s *Stream) next(first bool) {
	s.flush(streamPiece)
	if !first {
		s.out = append(s.out, ',')
	}
	s.out = appendBreak(s.out, s.depth)
}

// end ends an object or array that is not empty.
func (s *Stream) end(bracket byte) {
	s.depth--
	s.out = append(appendBreak(s.out, s.depth), bracket)
}

// isOmitted reports whether encoding/json leaves out a field with these options.
func isOmitted(v reflect.Value, options string) bool {
	for option := range strings.SplitSeq(options, ",") {
		switch {
		case option == "omitempty" && isEmpty(v):
			return true
		case option == "omitzero" && isZero(v):
			return true
		}
	}
	return false
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return v.IsZero()
}

func isMarshaler(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]())
}

// isLong reports whether values of a type hold lists or maps, and are written in the way
// of Fields.
func isLong(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isMarshaler(t) || isMarshaler(reflect.PointerTo(t)) {
		return false
	}
	long := false
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous || field.IsExported() && field.Tag.Get("json") == "" {
			return false
		}
		kind := field.Type.Kind()
		long = long || kind == reflect.Slice || kind == reflect.Map
	}
	return long
}

// appendIndented appends compact JSON with its indents, as [json.Indent] does, which
// takes three times as long because it checks the text.
func appendIndented(out, compact []byte, depth int) []byte {
	for at := 0; at < len(compact); at++ {
		switch c := compact[at]; c {
		case '"':
			end := at + 1
			for compact[end] != '"' {
				if compact[end] == '\\' {
					end++
				}
				end++
			}
			out = append(out, compact[at:end+1]...)
			at = end
		case '{', '[':
			out = append(out, c)
			if closing := compact[at+1]; closing == c+2 { // nothing in it
				out = append(out, closing)
				at++
				continue
			}
			depth++
			out = appendBreak(out, depth)
		case '}', ']':
			depth--
			out = append(appendBreak(out, depth), c)
		case ',':
			out = appendBreak(append(out, ','), depth)
		case ':':
			out = append(out, ": "...)
		default:
			out = append(out, c)
		}
	}
	return out
}

// appendBreak begins a line.
func appendBreak(out []byte, depth int) []byte {
	const blanks = "                                "
	out = append(out, '\n')
	for n := 2 * depth; n > 0; n -= len(blanks) {
		out = append(out, blanks[:min(n, len(blanks))]...)
	}
	return out
}
