package postfix

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/event"
)

// deliveryFlow reads "QID: to=<R>, orig_to=<O>, relay=HOST[ADDR]:PORT,
// conn_use=N, delay=D, delays=…, dsn=…, status=S (TEXT)" (log_adhoc.c).
func deliveryFlow(message string, f *event.Flow) bool {
	id, rest, ok := cutQueueID(message)
	if !ok || id == "" {
		return false
	}
	text, ok := strings.CutPrefix(rest, "to=<")
	if !ok {
		return false
	}
	who, how, ok := cutRecipient(text)
	if !ok {
		return false
	}
	relay, how, ok := strings.Cut(how, ", ")
	if !ok {
		return false
	}
	if how, ok = readDelay(how, f); !ok {
		return false
	}
	_, status, ok := strings.Cut(how, ", status=")
	if !ok {
		return false
	}
	status, reply, _ := strings.Cut(status, " ")
	f.Kind, f.QueueID, f.Status = event.FlowDelivery, id, status
	f.Text = strings.TrimSuffix(strings.TrimPrefix(reply, "("), ")")
	f.Recipient, f.Original, _ = strings.Cut(who, ">, orig_to=<")
	readRelay(relay, f)
	return true
}

// cutRecipient splits "R>, relay=…". The recipient and the text at the end may hold
// anything, also ">, relay=" itself: the right one has the attributes of a delivery
// behind it. If that is so of two, the line could be read in two ways, so it is not read
// at all.
func cutRecipient(text string) (who, how string, ok bool) {
	const mark = ">, relay="
	who, how, ok = strings.Cut(text, mark)
	if !ok || !strings.Contains(how, mark) {
		return who, how, ok
	}
	ok = false
	for at := 0; ; at += len(mark) {
		next := strings.Index(text[at:], mark)
		if next < 0 {
			return who, how, ok
		}
		at += next
		if !isDelivery(text[at+len(mark):]) {
			continue
		}
		if ok {
			return "", "", false
		}
		who, how, ok = text[:at], text[at+len(mark):], true
	}
}

// isDelivery reports whether a text reads like the attributes of a delivery, from its
// relay to its status.
func isDelivery(how string) bool {
	var ignored event.Flow
	_, how, _ = strings.Cut(how, ", ")
	how, ok := readDelay(how, &ignored)
	if !ok {
		return false
	}
	for _, name := range [...]string{", delays=", ", dsn=", ", status="} {
		if how, ok = strings.CutPrefix(how, name); !ok {
			return false
		}
		how = how[min(strings.IndexByte(how+",", ','), len(how)):]
	}
	return true
}

// readDelay skips "conn_use=N, " and reads "delay=D" in seconds.
func readDelay(text string, f *event.Flow) (rest string, ok bool) {
	if strings.HasPrefix(text, "conn_use=") {
		_, text, _ = strings.Cut(text, ", ")
	}
	text, ok = strings.CutPrefix(text, "delay=")
	if !ok {
		return "", false
	}
	digits, _, ok := strings.Cut(text, ",")
	if !ok {
		return "", false
	}
	seconds, ok := decimal(digits)
	if !ok || seconds < 0 || seconds > maxDelay.Seconds() {
		return "", false
	}
	f.Delay = time.Duration(seconds * float64(time.Second))
	return text[len(digits):], true
}

// decimal reads a number. Those of a log have few digits and a point: one division of
// two exact numbers then gives the result of [strconv.ParseFloat].
func decimal(text string) (number float64, ok bool) {
	const exact = 15 // digits that a float64 holds
	digits, scale, point := int64(0), int64(1), false
	for i := range len(text) {
		switch c := text[i]; {
		case c-'0' <= 9 && len(text) <= exact:
			digits = digits*10 + int64(c-'0')
			if point {
				scale *= 10
			}
		case c == '.' && !point && i > 0:
			point = true
		default:
			number, err := strconv.ParseFloat(text, 64)
			return number, err == nil
		}
	}
	return float64(digits) / float64(scale), text != ""
}

// maxDelay is more than any queue keeps a mail.
const maxDelay = 10 * 365 * 24 * time.Hour

// readRelay reads HOST[ADDR]:PORT, HOST[PATH], a transport's name or "none".
func readRelay(text string, f *event.Flow) {
	name, addr, ok := strings.Cut(text, "[")
	f.Relay = name
	if !ok {
		return
	}
	addr, _, _ = strings.Cut(addr, "]")
	if strings.IndexByte(addr, '/') >= 0 {
		return // the path of a socket
	}
	if parsed, err := netip.ParseAddr(addr); err == nil {
		f.Local = parsed.IsLoopback()
	}
}
