package engine

import (
	"net/netip"
	"strings"
	"unsafe"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// Trace shows the way of one line through Parse, for csmail explain.
type Trace struct {
	Line      logline.Line
	HasHeader bool
	Header    logline.Header
	Message   string
	Record    event.Record
	Taken     []Taken // fields taken from the message, in its order
}

// Taken is a field of the event and its place in the line.
type Taken struct {
	Field string
	Text  string
	At    int // offset in bytes, 0-based
}

// Follow does the work of Parse and records the way.
func Follow(line logline.Line) Trace {
	t := Trace{Line: line}
	t.Header, t.Message, t.HasHeader = logline.Split(line)
	Parse(line, &t.Record)
	if t.Record.Outcome >= event.Witness {
		t.Taken = taken(line.Text, &t.Record.Event)
	}
	return t
}

func taken(line string, e *event.Event) []Taken {
	var found []Taken
	add := func(field, text string, at int) {
		if text != "" && at >= 0 {
			found = append(found, Taken{field, text, at})
		}
	}
	if text, at := addressIn(line, e); at >= 0 {
		add("address", text, at)
	}
	for _, f := range [...]Taken{
		{Field: "client name", Text: e.ClientName},
		{Field: "user", Text: e.User},
		{Field: "mechanism", Text: e.Mechanism},
		{Field: "code", Text: e.Code},
		{Field: "sender", Text: e.Sender},
		{Field: "recipient", Text: e.Recipient},
		{Field: "helo", Text: e.Helo},
		{Field: "session", Text: e.Session},
		{Field: "reason", Text: e.Reason},
	} {
		add(f.Field, f.Text, offset(line, f.Text))
	}
	return found
}

// offset returns the offset of part in line if it is a slice of its bytes, and -1 if it
// was put together from elsewhere.
func offset(line, part string) int {
	if line == "" || part == "" {
		return -1
	}
	start := uintptr(unsafe.Pointer(unsafe.StringData(line)))
	at := uintptr(unsafe.Pointer(unsafe.StringData(part)))
	if at < start || at+uintptr(len(part)) > start+uintptr(len(line)) {
		return -1
	}
	return int(at - start)
}

// addressIn finds the text of the client's address. After the client's name it is in
// brackets; elsewhere it is the first text that reads as the address.
func addressIn(line string, e *event.Event) (string, int) {
	if !e.Addr.IsValid() {
		return "", -1
	}
	from := 0
	if at := offset(line, e.ClientName); at >= 0 {
		from = at + len(e.ClientName)
	}
	isPart := func(c byte) bool { return c == '.' || c == ':' || c-'0' <= 9 || c|0x20-'a' <= 5 }
	for i := from; i < len(line); i++ {
		if !isPart(line[i]) || i > from && isPart(line[i-1]) {
			continue
		}
		end := i
		for end < len(line) && isPart(line[end]) {
			end++
		}
		for stop := end; stop > i+1; stop-- { // "192.0.2.1:" ends in the line's own colon
			if addr, err := netip.ParseAddr(line[i:stop]); err == nil && addr.Unmap() == e.Addr {
				return strings.Clone(line[i:stop]), i
			}
		}
	}
	return "", -1
}
