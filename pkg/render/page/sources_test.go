package page

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// A report shows twice as many attackers as rows of the other lists: 20 by default.
func TestTwentyAttackersByDefault(t *testing.T) {
	var lines []string
	for i := range 33 {
		for n := range 1 + i%3 {
			lines = append(lines, logOf(fmt.Sprintf(`09:%02d:0%d postfix/smtpd[%d]: NOQUEUE: reject: RCPT from unknown[198.51.%d.7]: 554 5.7.1 <x@y.example>: Relay access denied; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>`, i, n, i, i))...)
		}
	}
	// With a fatal error the day is not a quiet one, which is shown short.
	d := documentOf(t, append(lines, logOf(`09:59:00 postfix/smtpd[9]: fatal: open database /etc/postfix/virtual.db: No such file or directory`)...))
	for top, want := range map[int]int{10: 20, 5: 10, 0: 33, 40: 33} {
		var text, html bytes.Buffer
		if err := Text(&text, d, top); err != nil {
			t.Fatal(err)
		}
		if err := HTML(&html, d, top); err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(text.String(), "\nAttackers (")
		section, _, _ = strings.Cut(section, "\n\n")
		if got := strings.Count(section, "relay-denied"); got != want {
			t.Errorf("--top %d: the text shows %d attackers, want %d:\n%s", top, got, want, section)
		}
		if title := fmt.Sprintf("top %d of 33)", want); want < 33 && !strings.HasPrefix(section, title) {
			t.Errorf("--top %d: the section begins with %.20q, want %q", top, section, title)
		}
		_, list, _ := strings.Cut(html.String(), "<h2>Attackers")
		list, _, _ = strings.Cut(list, "</section>")
		if got := strings.Count(list, "relay-denied"); got != want {
			t.Errorf("--top %d: the page shows %d attackers, want %d", top, got, want)
		}
	}
}
