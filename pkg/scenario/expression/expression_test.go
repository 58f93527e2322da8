package expression

import (
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func failure(addr, user string, after time.Duration) *event.Event {
	return &event.Event{
		Time: start.Add(after), Service: event.Postfix, Program: "postfix/smtpd", Kind: event.AuthFailed, Attempts: 1,
		Addr: netip.MustParseAddr(addr), User: user,
		Message: "warning: unknown[" + addr + "]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
	}
}

// An expression that comes twice is compiled once, and what is done to one of them is not
// done to the other.
func TestSameTextTwice(t *testing.T) {
	c := NewCompiler(NewDataFiles())
	const source = "evt.Meta.kind == 'auth-failed'"
	first, err := c.Condition(source)
	if err != nil {
		t.Fatal(err)
	}
	first.LoseEvt()
	second, err := c.Condition(source)
	if err != nil || !second.LoseEvt() {
		t.Errorf("got %v, want a second expression that still reads evt", err)
	}
	if _, err := c.Text(source); err == nil {
		t.Error("a condition that was compiled before is taken for a text")
	}
	inBucket, err := c.BucketCondition(source)
	if err != nil || !inBucket.bucket {
		t.Errorf("got %v, want an expression of a bucket", err)
	}
}
