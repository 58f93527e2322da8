package daily

import (
	"net/netip"
	"strings"
)

// addressByte reports for each byte whether an IP address may contain it.
var addressByte = func() (is [256]bool) {
	for _, c := range "0123456789abcdefABCDEF:." {
		is[c] = true
	}
	return is
}()

// replaceAddresses replaces each IP address by ADDR.
func replaceAddresses(text string) string {
	if strings.IndexByte(text, '.') < 0 && strings.IndexByte(text, ':') < 0 {
		return text
	}
	return string(appendAddresses(nil, text))
}

// appendAddresses appends a text to room, with each IP address replaced by ADDR.
func appendAddresses(room []byte, text string) []byte {
	copied := 0
	for at := 0; at < len(text); {
		if !addressByte[text[at]] {
			at++
			continue
		}
		end, dots, colons := at, 0, 0
		for ; end < len(text) && addressByte[text[end]]; end++ {
			switch text[end] {
			case '.':
				dots++
			case ':':
				colons++
			}
		}
		if dots < 3 && colons < 2 { // most words
			at = end
			continue
		}
		if word := strings.TrimRight(text[at:end], ":."); isAddress(word) {
			room = append(append(room, text[copied:at]...), "ADDR"...)
			copied = at + len(word)
		}
		at = end
	}
	return append(room, text[copied:]...)
}

// isAddress reports whether a word is an IP address. Most words are excluded by their
// separators.
func isAddress(word string) bool {
	if len(word) < len("::1") {
		return false
	}
	dots, colons := 0, 0
	for i := range len(word) {
		switch word[i] {
		case '.':
			dots++
		case ':':
			colons++
		}
	}
	if dots != 3 && colons < 2 {
		return false
	}
	_, err := netip.ParseAddr(word)
	return err == nil
}

// appendWords appends a text to room, with each NAME[ADDR] and NAME[ADDR]:PORT replaced
// by CLIENT, and each other address by ADDR.
func appendWords(room []byte, text string) []byte {
	for at := 0; ; {
		open := strings.IndexByte(text[at:], '[')
		if open < 0 {
			return appendAddresses(room, text)
		}
		open += at
		end := clientEnd(text, open)
		if end < 0 {
			at = open + 1
			continue
		}
		room = appendAddresses(room, text[:at+strings.LastIndexAny(text[at:open], " []")+1])
		room = append(room, "CLIENT"...)
		text, at = text[end:], 0
	}
}

// clientEnd returns the end of "[ADDR]" or "[ADDR]:PORT" at open, -1 if there is
// none.
func clientEnd(text string, open int) int {
	end := open + 1
	for end < len(text) && addressByte[text[end]] {
		end++
	}
	if end == open+1 || end == len(text) || text[end] != ']' {
		return -1
	}
	end++
	if end == len(text) || text[end] != ':' {
		return end
	}
	port := end + 1
	for port < len(text) && text[port] >= '0' && text[port] <= '9' {
		port++
	}
	if port == end+1 {
		return end
	}
	return port
}

// unresolved stands for "hostname NAME does not resolve to address ADDR".
const unresolved = "hostname does not resolve to its address"

// cutHostname cuts what unresolved stands for off the start of a text.
func cutHostname(text string) (rest string, ok bool) {
	name, ok := strings.CutPrefix(text, "hostname ")
	if !ok {
		return "", false
	}
	space := strings.IndexByte(name, ' ')
	if space < 1 {
		return "", false
	}
	rest, ok = strings.CutPrefix(name[space:], " does not resolve to address ")
	if !ok {
		return "", false
	}
	word, _, _ := strings.Cut(rest, " ")
	end := len(strings.TrimRight(word, ":"))
	return rest[end:], end > 0
}

// cutHostnames replaces "hostname NAME does not resolve to address ADDR" by "hostname
// does not resolve to its address" (src/smtpd/smtpd_peer.c).
func cutHostnames(text string) string {
	const before = "hostname "
	for at := 0; ; {
		found := strings.Index(text[at:], before)
		if found < 0 {
			return text
		}
		found += at
		rest, ok := cutHostname(text[found:])
		if !ok {
			at = found + 1
			continue
		}
		text = text[:found] + unresolved + rest
		at = found + len(unresolved)
	}
}

// troubleText makes a warning comparable by removing clients and addresses.
func troubleText(text string) string { return string(appendTrouble(nil, text)) }

// appendTrouble appends what troubleText returns to room. The login name that Postfix 3.7
// and newer put behind a failed login is left out: the accounts have a list of their own.
func appendTrouble(room []byte, text string) []byte {
	text, _, _ = strings.Cut(clip(text), ", sasl_username=")
	if rest, ok := cutHostname(text); ok && strings.IndexByte(rest, '[') < 0 && !strings.Contains(rest, "hostname ") {
		return appendAddresses(append(room, unresolved...), rest)
	}
	return appendWords(room, cutHostnames(text))
}
