package engine

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// cuts are the lengths at which log systems cut a line: busybox, RFC 3164's least
// and its most.
var cuts = []int{256, 480, 1024}

// hostileEnds are what a client lets its text end in, where a log system will cut
// it: what stands there must not be taken for the daemon's own.
func hostileEnds() []string {
	const v = victimAddr
	return []string{
		" rhost=" + v, " rhost=" + v + "  user=x", "x rhost=" + v, ", rip=" + v, ">, method=PLAIN, rip=" + v, ", method=PLAIN, rip=" + v + ", lip=",
		"," + v + ",<s>): unknown user", "," + v + "): Password mismatch", "," + v + ",sasl:plain)<s>: sql: unknown user",
		" from " + v, " from " + v + " port 4711", " from " + v + " port 4711 ssh2", " " + v + " port 4711", "[" + v + "]", "[" + v + "]: ", " from unknown[" + v + "]",
		"]: SASL LOGIN authentication failed: x", ">: Relay access denied; from=<b> to=<c> proto=SMTP helo=<d>", v, ": " + v, "from=" + v,
	}
}

// Wherever a log system cuts a line, and whatever a client lets stand there, the
// address is the client's or none. Of a Dovecot login line, everything behind the
// user could be imitated up to the cut; then auth_username_chars must be empty, which
// is no default.
func TestCutAnywhere(t *testing.T) {
	client := netip.MustParseAddr(clientAddr)
	for _, f := range fields {
		for _, line := range []string{f.line, strings.ReplaceAll(f.line, clientAddr, "192.0.2.123")} {
			own := client
			if line != f.line {
				own = netip.MustParseAddr("192.0.2.123")
			}
			for _, hostile := range hostileEnds() {
				for _, cut := range cuts {
					checkCuts(t, f, line, hostile, cut, own)
				}
			}
		}
	}
}

// checkCuts pads the client's text so that the cut falls into the hostile end, and
// into what the daemon wrote behind it.
func checkCuts(t *testing.T, f field, line, hostile string, cut int, own netip.Addr) {
	t.Helper()
	const header = "Jun  3 04:11:09 mx1 "
	before, _, _ := strings.Cut(header+line, "{}")
	for _, shift := range []int{0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144} {
		padding := cut - len(before) - len(hostile) - shift
		if padding < 0 {
			continue
		}
		sent := f.lets(strings.Repeat("a", padding) + hostile)
		text := strings.ReplaceAll(header+line, "{}", sent)
		text = text[:min(len(text), cut)]
		if r := parse(text); r.Addr.IsValid() && r.Addr != own {
			t.Errorf("%s, cut at %d: %q gives %s, want %s or none", f.name, cut, text, r.Addr, own)
		}
	}
}

// The example of each kind, cut at any length that a log system may cut at, gives
// its address or none; a longer host name or user moves the address to the cut.
func TestCutExamples(t *testing.T) {
	for _, k := range event.Kinds() {
		for _, name := range []string{"c.example", "unknown"} {
			line := "Jun  3 04:11:09 mx1 " + strings.ReplaceAll(k.Example(), clientAddr, "192.0.2.123")
			long := strings.Replace(line, name, strings.Repeat("a", 180)+".example", 1)
			for end := 256; end < len(long); end++ {
				if r := parse(long[:end]); r.Addr.IsValid() && r.Addr.String() != "192.0.2.123" {
					t.Errorf("%q gives %s", long[:end], r.Addr)
				}
			}
		}
	}
}

// repeats are what a client sends over and over to make a grammar look at the same
// bytes again.
var repeats = []string{
	")", "): ", ",,,): ", ",192.0.2.9): ", ")<", ")<a>", ")<a>: ", "<", ">", ">: ", ">, ", ", ", ",", "; from=<", "> to=<", ": ", ": user=<", ": rip=", ", rip=", "rip=",
	"session=<", " from ", " port ", " port 1", " port 1: ", " rhost=", " user=", "  ", "a", "0", `\026\003\001`, `\n`, `EHLO x\r\n`, "[", "]", "]:", " auth=", " blocked using ",
	" rejected: ", "(", "request [1]: ", " failed: ", "/", "x/", ".", "-", "=", "(given password: ", "sasl:", ",master", " ssh2: ", " not allowed because ",
}

// The time for a line grows no faster than its length, whatever a client repeats in
// whatever field: at this length a scan within a scan takes ten times the limit.
func TestTimeGrowsLinearly(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const length, limit, tries = 64 << 10, 20 * time.Millisecond, 60
	for _, f := range fields {
		for _, text := range repeats {
			sent := f.lets(strings.Repeat(text, length/len(text)))
			line := logline.Line{Text: "Jun  3 04:11:09 mx1 " + strings.Replace(f.line, "{}", sent, 1), Zone: time.UTC}
			least := parseTime(line)
			for range tries { // the machine may be busy
				if least > limit {
					least = min(least, parseTime(line))
				}
			}
			if least > limit {
				t.Errorf("%s: %q takes %v at %d bytes, want %v", f.name, text, least, length, limit)
			}
		}
	}
}

func parseTime(line logline.Line) time.Duration {
	var r event.Record
	start := time.Now()
	Parse(line, &r)
	return time.Since(start)
}
