package daily

import (
	"fmt"
	"testing"

	"csmail/pkg/wire"
)

// ownTrouble are warnings of this host's own trouble, one of each cause but the mailboxes.
var ownTrouble = []string{
	`cannot get RSA certificate from file "/etc/ssl/mx.pem": disabling TLS support`,
	"not enough free space in mail queue: 1000 bytes < 1.5*message size limit",
	"mysql:/etc/postfix/virtual.cf: table lookup problem",
}

// flooded are n warnings of which a client makes up the texts, and then this host's own.
func flooded(name string, n int) (lines []string) {
	warn := func(text string) {
		lines = append(lines, "2026-11-28T09:00:00.123456+00:00 mx1 postfix/smtpd[1]: warning: "+text)
	}
	for i := range n {
		warn(fmt.Sprintf("Illegal address syntax from a.example[198.51.100.7] in MAIL command: <%s%d@y>", name, i))
	}
	for _, text := range ownTrouble {
		warn(text)
	}
	return lines
}

// A client that makes up texts hides none of this host's own trouble, whatever is done
// with the figures.
func TestAFloodHidesNoTroubleOfThisHost(t *testing.T) {
	const more = 700
	first, second := figuresOf(t, flooded("a", maxTexts+more)), figuresOf(t, flooded("b", more))
	merged, turned := NewFigures(), NewFigures()
	merged.Merge(first)
	merged.Merge(second)
	turned.Merge(second)
	turned.Merge(first)
	for name, tt := range map[string]struct {
		f    *Figures
		each int
	}{
		"counted": {first, 1}, "stored": {reread(t, first), 1}, "merged": {merged, 2}, "merged in the other order": {turned, 2}, "merged and stored": {reread(t, merged), 2},
	} {
		texts := tt.f.Trouble["warning"]["smtpd"]
		for _, text := range ownTrouble {
			if got := texts[text]; got == nil || *got != tt.each {
				t.Errorf("%s: %s: got %v, want %d", name, text, got, tt.each)
			}
		}
		if most := maxTexts + len(ownTrouble) + 1; len(texts) > most {
			t.Errorf("%s: %d texts, at most %d are wanted", name, len(texts), most)
		}
		if got, want := sum(texts), maxTexts+more+len(ownTrouble)+(tt.each-1)*(more+len(ownTrouble)); got != want {
			t.Errorf("%s: %d warnings, want %d", name, got, want)
		}
	}
}

// This host's own trouble may name its clients' recipients, and so has bounds, too.
func TestOwnTroubleIsBounded(t *testing.T) {
	lines := flooded("a", maxTexts)
	for i := range maxOwnTexts + 50 {
		lines = append(lines, fmt.Sprintf(`2026-11-28T09:00:00.123456+00:00 mx1 postfix/smtpd[1]: warning: virtual_alias_maps map lookup problem for u%d@example.org -- message not accepted, try again later`, i))
	}
	f := figuresOf(t, lines)
	texts := f.Trouble["warning"]["smtpd"]
	if most := maxTexts + maxOwnTexts + len(ownTrouble); len(texts) != most || *texts[others] != 51 {
		t.Errorf("got %d texts and %d others, want %d and 51", len(texts), *texts[others], most)
	}
}

// Each run over the same log comes to the same, also where there is no room for all.
func TestMergedTextsAreTheSameInEachRun(t *testing.T) {
	var parts []*Figures
	for _, name := range []string{"a", "b", "c"} {
		parts = append(parts, figuresOf(t, flooded(name, maxTexts/2)))
	}
	want := ""
	for range 3 {
		f := NewFigures()
		for _, part := range parts {
			f.Merge(part)
		}
		if got := stored(t, f); want == "" {
			want = got
		} else if got != want {
			t.Fatal("two runs differ")
		}
	}
	full := figuresOf(t, flooded("a", maxTexts+10))
	if stored(t, reread(t, full)) != stored(t, full) {
		t.Error("full figures that were written and read are others")
	}
}

// Many lines that find no room for their texts take none.
func TestTextsWithoutRoomTakeNone(t *testing.T) {
	lines := append(flooded("a", maxTexts+maxAllTexts), linesOf(`
		09:00:02 smtp[1]: AAAAAA1: to=<x@example.com>, relay=mx[198.51.100.1]:25, delay=1, delays=1/0/0/0, dsn=5.0.0, status=bounced (550 no)`)...)
	if got := figuresOf(t, lines).Bounces["mx"]["550 no"]; got == nil || *got != 1 {
		t.Errorf("got %v bounces, want 1", got)
	}
}

// reread returns figures that were written and read.
func reread(t *testing.T, f *Figures) *Figures {
	t.Helper()
	var state []byte
	w := wire.NewFrames(func(piece []byte) { state = append(state, piece...) })
	f.Write(w)
	w.Close()
	next, err := wire.Whole(state)()
	if err != nil {
		t.Fatal(err)
	}
	again := NewFigures()
	r := again.Reader()
	err = wire.ReadFrames(next, func(kind uint8, c *wire.Codec) {
		if !r.Entry(kind, c) {
			t.Errorf("an entry of kind %d is not known", kind)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return again
}
