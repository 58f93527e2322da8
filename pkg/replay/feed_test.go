package replay

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"csmail/pkg/event"
	"csmail/pkg/input/archive"
)

// What a line may repeat outlives its block, whose memory goes back to the source.
func TestRepeatedLineOutlivesItsBlock(t *testing.T) {
	parse := func(text string, first int64) *job {
		j := &job{block: archive.Block{Text: text, First: first, Received: received}}
		j.parse(time.UTC, nil, keep{})
		return j
	}
	buffer := []byte(prefix + "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=bob\n")
	f := &feed{job: parse(unsafe.String(&buffer[0], len(buffer)), 1)}
	f.order.Take(&f.job.records[0])
	f.finishJob(newRun(Options{}, nil))
	copy(buffer, strings.Repeat("#", len(buffer)))
	record := parse("Jun  3 04:11:10 mail last message repeated 3 times\n", 2).records[0]
	f.order.Take(&record)
	if record.Outcome != event.Noted || record.User != "bob" || record.Attempts != 3 || !strings.HasPrefix(record.Message, "warning: unknown") {
		t.Errorf("got %+v, want Outcome %v, User bob, Attempts 3, it to begin with \"warning: unknown\"", record, event.Noted)
	}
}
