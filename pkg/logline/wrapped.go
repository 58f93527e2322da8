package logline

import "strings"

// splitWrapped reads a line inside the wrapping of a log system that is not
// syslog: journald's JSON, Docker's JSON, docker logs -t, docker compose, CRI.
func splitWrapped(text string, reading *Reading) (Header, string, bool) {
	if object, ok := cutFraming(text); ok {
		return splitJSON(object, reading)
	}
	if outer, rest, ok := cutStamp(text); ok {
		inner := cutContainerStream(rest)
		h, msg, ok := splitBare(inner)
		h.stamp = outer
		return h, msg, ok
	}
	if rest, ok := cutComposeName(text); ok {
		return Split(Line{Text: rest})
	}
	return splitVersioned(text)
}

// cutFraming takes off journalctl's framing before an object: nothing with json, a
// record separator with json-seq (RFC 7464), "data: " with json-sse (server-sent
// events). It reports false if no object follows.
func cutFraming(text string) (string, bool) {
	text = strings.TrimPrefix(text, "\x1e")
	text = strings.TrimPrefix(text, "data: ")
	return text, strings.HasPrefix(text, "{")
}

// splitVersioned reads RFC 5424 without the priority, which was stripped on the way.
func splitVersioned(text string) (Header, string, bool) {
	rest, ok := strings.CutPrefix(text, "1 ")
	if !ok {
		return Header{}, "", false
	}
	return splitRFC5424(rest)
}

// isContainerStream reports whether the text is CRI's "stdout F " after the stamp.
func isContainerStream(text string) bool {
	return strings.HasPrefix(text, "stdout F ") || strings.HasPrefix(text, "stderr F ")
}

func cutContainerStream(text string) string {
	if isContainerStream(text) {
		return text[len("stdout F "):]
	}
	return text
}

// cutComposeName takes off docker compose's "mailserver-1  | ".
func cutComposeName(text string) (string, bool) {
	const longestName = 128
	bar := strings.Index(text[:min(len(text), longestName)], " | ")
	if bar < 1 {
		return "", false
	}
	name := strings.TrimRight(text[:bar], " ")
	if name == "" || strings.Contains(name, " ") {
		return "", false
	}
	return text[bar+len(" | "):], true
}

// splitRFC5424 reads the text behind "<PRI>1 ": TIMESTAMP HOST APP PROCID MSGID
// STRUCTURED-DATA MSG (RFC 5424 section 6).
func splitRFC5424(text string) (Header, string, bool) {
	h := Header{Repeat: 1}
	stamp, rest, ok := cutStamp(text)
	if !ok {
		return h, "", false
	}
	h.stamp = stamp
	var fields [4]string
	for i := range fields {
		fields[i], rest, ok = strings.Cut(rest, " ")
		if !ok {
			return h, "", false
		}
		if fields[i] == "-" {
			fields[i] = ""
		}
	}
	h.Host, h.Program = fields[0], fields[1]
	h.PID, _ = number(fields[2])
	rest, ok = cutStructuredData(rest)
	if !ok {
		return h, "", false
	}
	return h, strings.TrimPrefix(strings.TrimPrefix(rest, " "), "\ufeff"), true
}

// cutStructuredData takes off "-" or any number of [id name="value"…]. In the values a
// backslash escapes the next byte.
func cutStructuredData(text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return rest, true
	}
	for strings.HasPrefix(text, "[") {
		end, quoted := 1, false
		for end < len(text) && (quoted || text[end] != ']') {
			switch text[end] {
			case '\\':
				end++
			case '"':
				quoted = !quoted
			}
			end++
		}
		if end >= len(text) {
			return "", false
		}
		text = text[end+1:]
	}
	return text, text == "" || text[0] == ' '
}
