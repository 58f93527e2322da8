package logline

import (
	"encoding/json"
	"strconv"
	"strings"
)

// splitJSON reads one object of journalctl -o json, or of Docker's json-file driver. The
// latter's "log" holds a line with a header of its own.
func splitJSON(text string, reading *Reading) (Header, string, bool) {
	var f jsonLine
	if !eachField(text, f.take) {
		return Header{}, "", false
	}
	if f.isDocker {
		return f.splitDocker()
	}
	if f.micros == "" {
		return Header{}, "", false
	}
	micros, err := strconv.ParseInt(f.micros, 10, 64)
	if err != nil {
		return Header{}, "", false
	}
	h := Header{Host: f.host, Program: f.program, Repeat: 1}
	h.stamp.micros = micros
	if h.PID, _ = number(f.syslogPID); h.PID == 0 {
		h.PID, _ = number(f.pid)
	}
	h.Doubt = f.writer.doubt(f.program, reading)
	return h, f.message, true
}

// jsonLine collects the fields of systemd.journal-fields(7) with the writer, the message
// and the time.
type jsonLine struct {
	message, program, host, pid, syslogPID, micros string
	isDocker                                       bool
	dockerLog, dockerTime                          string
	writer                                         writer
}

func (f *jsonLine) take(key, value string) {
	switch key {
	case "MESSAGE":
		f.message = jsonText(value)
	case "SYSLOG_IDENTIFIER":
		f.program = jsonText(value)
	case "_HOSTNAME":
		f.host = jsonText(value)
	case "_PID":
		f.pid = jsonText(value)
	case "SYSLOG_PID":
		f.syslogPID = jsonText(value)
	case "__REALTIME_TIMESTAMP":
		f.micros = jsonText(value)
	case "_UID":
		f.writer.uid = jsonText(value)
	case "_COMM":
		f.writer.command = jsonText(value)
	case "_EXE":
		f.writer.executable = jsonText(value)
	case "_SYSTEMD_UNIT":
		f.writer.unit = jsonText(value)
	case "log":
		f.isDocker, f.dockerLog = true, jsonText(value)
	case "time":
		f.dockerTime = jsonText(value)
	}
}

// splitDocker reads the line inside; Docker's own stamp is the exact one.
func (f *jsonLine) splitDocker() (Header, string, bool) {
	inner := strings.TrimRight(f.dockerLog, "\r\n")
	h, msg, ok := Split(Line{Text: inner})
	if outer, _, dated := cutStamp(f.dockerTime + " "); ok && dated {
		h.stamp = outer
	}
	return h, msg, ok
}

// eachField visits the members of one flat JSON object with their raw values.
// It reports false when the text is not one whole object.
func eachField(text string, visit func(key, value string)) bool {
	text = strings.TrimRight(text, " \t\r\n")
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return false
	}
	rest := strings.TrimLeft(text[1:len(text)-1], " ")
	for rest != "" {
		keyEnd := valueEnd(rest)
		if rest[0] != '"' || keyEnd < 2 {
			return false
		}
		key := rest[1 : keyEnd-1]
		rest = strings.TrimLeft(rest[keyEnd:], " ")
		if rest == "" || rest[0] != ':' {
			return false
		}
		rest = strings.TrimLeft(rest[1:], " ")
		end := valueEnd(rest)
		if end <= 0 {
			return false
		}
		visit(key, rest[:end])
		rest = strings.TrimLeft(rest[end:], " ")
		if rest != "" && rest[0] != ',' {
			return false
		}
		rest = strings.TrimLeft(strings.TrimPrefix(rest, ","), " ")
	}
	return true
}

// valueEnd returns the length of the JSON value at the start of text, or 0.
func valueEnd(text string) int {
	if text == "" {
		return 0
	}
	switch text[0] {
	case '"':
		return stringEnd(text)
	case '[', '{':
		return nestedEnd(text)
	}
	if end := strings.IndexAny(text, ",}] "); end >= 0 {
		return end
	}
	return len(text)
}

func stringEnd(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

func nestedEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := stringEnd(text[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// jsonText returns a value as text: a string, a number, or the array of byte values that
// journald writes for a field that is not UTF-8. Null, which stands for a field that is
// too large, gives "".
func jsonText(value string) string {
	switch {
	case value[0] == '[':
		return bytesText(value)
	case value == "null":
		return ""
	case value[0] != '"':
		return value
	case strings.IndexByte(value, '\\') < 0:
		return value[1 : len(value)-1]
	}
	var text string
	if json.Unmarshal([]byte(value), &text) != nil {
		return ""
	}
	return text
}

func bytesText(value string) string {
	inner := strings.TrimSpace(value[1 : len(value)-1])
	out := make([]byte, 0, len(inner)/3)
	for inner != "" {
		item, rest, _ := strings.Cut(inner, ",")
		n, ok := number(strings.TrimSpace(item))
		if !ok || n > 255 {
			return ""
		}
		out = append(out, byte(n))
		inner = strings.TrimSpace(rest)
	}
	return string(out)
}
