package guard

import (
	"strings"

	"csmail/pkg/event"
)

// area says which part of our own an offence hangs on, and so what can excuse it.
type area uint8

const (
	ownArea       area = iota // nothing but the client
	loginArea                 // our login service
	resolverArea              // our resolver
	listArea                  // block lists
	recipientArea             // our tables of recipients
	visitArea                 // nothing was asked for, or our own limits ended it
)

// areaOf sorts an event. What follows from a failed login (the connection lost
// or cut after AUTH; under stress Postfix cuts at the first error,
// smtpd_hard_error_limit) hangs on the login service like the failure itself.
func areaOf(e *event.Event) area {
	switch e.Kind {
	case event.AuthFailed, event.AuthAborted, event.AuthRateLimited, event.LoginRefused:
		return loginArea
	case event.NoHostname, event.HostnameMismatch, event.HeloDeferred:
		return resolverArea
	case event.SenderRejected:
		if strings.HasPrefix(e.Code, "4") || strings.HasPrefix(e.Reason, "Sender address rejected: Domain not found") ||
			strings.HasPrefix(e.Reason, "Sender address rejected: Malformed DNS") {
			return resolverArea
		}
	case event.DNSBLListed:
		return listArea
	case event.RecipientUnknown:
		return recipientArea
	case event.NoAuth, event.Hangup, event.TLSError, event.RateLimited, event.ErrorLimit:
		return visitArea
	case event.LostConnection, event.TooManyErrors:
		if strings.HasSuffix(e.Reason, " after AUTH") {
			return loginArea
		}
		if e.Kind == event.LostConnection {
			return visitArea
		}
	}
	return ownArea
}
