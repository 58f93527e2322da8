package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/input/archive"
)

// BenchmarkRun replays a log of which three lines in four are ordinary.
func BenchmarkRun(b *testing.B) {
	var log strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&log, prefix+"connect from unknown[192.0.2.%d]\n", i%256)
		fmt.Fprintf(&log, prefix+"warning: unknown[192.0.2.%d]: SASL LOGIN authentication failed: x, sasl_username=u%d\n", i%256, i)
		log.WriteString("Jun  3 04:11:09 mail postfix/qmgr[42]: 4Zk1Yq2Lz3z9v: from=<a@example.org>, size=4242, nrcpt=1 (queue active)\n")
		log.WriteString(prefix + "disconnect from a.example[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5\n")
	}
	blocks := make(text, 64)
	for i := range blocks {
		blocks[i] = log.String()
	}
	b.SetBytes(int64(len(blocks) * log.Len()))
	b.ReportAllocs()
	for b.Loop() {
		tally, err := Run(b.Context(), []archive.Input{blocks}, Options{Zone: time.UTC, Result: func(string, *engine.Result) {}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(tally.Lines), "lines/op")
	}
}
