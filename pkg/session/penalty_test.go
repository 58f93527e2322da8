package session

import (
	"testing"
	"time"

	"csmail/pkg/event"
)

// Postfix loses its connection to Dovecot over a client that failed just before: that
// is one more guess. Of any other client, or much later, it is a fault of ours.
func TestPenalty(t *testing.T) {
	const failed, broken = event.AuthFailed, event.AuthFault
	lost := saslOf("")
	lost.Kind, lost.Reason = broken, "Connection lost to authentication server"
	refused := lost
	refused.Reason = "Can't connect to authentication server"
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		kind   event.Kind
	}{
		"at first":                           {nil, lost, broken},
		"after Postfix's failure":            {[]event.Record{saslOf("a")}, after(10*time.Second, lost), failed},
		"after a failure without a name":     {[]event.Record{saslOf("")}, after(10*time.Second, lost), failed},
		"after Dovecot's failure":            {[]event.Record{auth("", "a", failed)}, after(12*time.Second, lost), failed},
		"after both":                         {[]event.Record{auth("", "a", failed), after(2*time.Second, saslOf("a"))}, after(32*time.Second, lost), failed},
		"at the limit":                       {[]event.Record{saslOf("a")}, after(penaltyLasts, lost), failed},
		"later":                              {[]event.Record{saslOf("a")}, after(penaltyLasts+1, lost), broken},
		"the second one in a row":            {[]event.Record{saslOf("a"), after(10*time.Second, lost)}, after(20*time.Second, lost), failed},
		"a row is no failure":                {[]event.Record{saslOf("a"), after(20*time.Second, lost)}, after(40*time.Second, lost), broken},
		"of another client":                  {[]event.Record{saslOf("a")}, after(10*time.Second, of(two, lost)), broken},
		"after a fault":                      {[]event.Record{auth("", "a", broken)}, after(10*time.Second, lost), broken},
		"after a login that was unchecked":   {[]event.Record{auth("", "a", broken), saslOf("a")}, after(10*time.Second, lost), broken},
		"a failure, then Dovecot's own word": {[]event.Record{saslOf("a"), after(9*time.Second, auth("", "", broken))}, after(10*time.Second, lost), broken},
		"in other words":                     {[]event.Record{saslOf("a")}, after(10*time.Second, refused), broken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expectStatus(t, tt.before, tt.last, New, tt.kind, 1) })
	}
}
