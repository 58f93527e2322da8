package daily

import (
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
)

// hasEcho reports whether smtpd got a mail with the same Message-ID from this host while
// a delivery was under way: one that a filter brought back, or a redirect.
func (m *mail) hasEcho(at moment, transmitted time.Duration) bool {
	for _, other := range m.host.byID[m.messageID] {
		if other != m && other.is(bySMTPD) && isDuring(other.born, at, transmitted) {
			return true
		}
	}
	return false
}

// isDuring reports whether a mail was born while a delivery that ended at a time was under
// way.
func isDuring(born, at moment, transmitted time.Duration) bool {
	return born <= at && born >= at-moment(transmitted+2*time.Second)
}

// addRecipients notes the recipient of a delivery, and the address that led to it.
func (h *history) addRecipients(f *event.Flow) {
	for _, address := range [...]string{f.Recipient, f.Original} {
		if address = strings.ToLower(address); address != "" && len(h.recipients) < maxDeliveries && !slices.Contains(h.recipients, address) {
			h.recipients = append(h.recipients, strings.Clone(address))
		}
	}
}

// isFiled reports whether an answer is that of a mailbox server to a delivery by LMTP:
// "250 2.0.0 <u@example.org> SESSION Saved" (Dovecot 2.3, lmtp-local.c), "250 2.1.5 Ok
// SESSIONID=<...>" (Cyrus 3.4, lmtpengine.c) or "250 2.1.5 Delivery OK" (Zimbra).
func isFiled(answer string) bool {
	return strings.HasSuffix(answer, " Saved") || strings.HasSuffix(answer, " Delivery OK") || strings.Contains(answer, " Ok SESSIONID=")
}
