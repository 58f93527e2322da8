package health

import "csmail/pkg/event"

// Area says on which part of the mail server an offence depends, and so which trouble can
// excuse it. For example, a failed login (LoginArea) is excused while the login service
// is down, but not while a block list is.
type Area uint8

// The areas.
const (
	OwnArea       Area = iota // OwnArea: nothing but the client
	LoginArea                 // the login service
	ResolverArea              // the resolver
	ListArea                  // block lists
	RecipientArea             // the tables of recipients
	VisitArea                 // an empty visit, or one that a limit of the server ended
)

// AreaOf returns the area of an event. Consequences of a failed login belong to the login
// service as well: for example a connection lost or cut after AUTH, since Postfix under
// stress ends a session at its first error (smtpd_hard_error_limit, stress=yes;
// postconf(5), Postfix 3.8).
func AreaOf(e *event.Event) Area {
	switch e.Kind {
	case event.AuthFailed, event.AuthAborted, event.AuthRateLimited, event.LoginRefused:
		return LoginArea
	case event.NoHostname, event.HostnameMismatch, event.HeloDeferred:
		return ResolverArea
	case event.SenderRejected:
		if e.Cause == event.Resolver {
			return ResolverArea
		}
	case event.DNSBLListed:
		return ListArea
	case event.RecipientUnknown:
		return RecipientArea
	case event.NoAuth, event.Hangup, event.TLSError, event.RateLimited, event.ErrorLimit:
		return VisitArea
	case event.LostConnection, event.TooManyErrors:
		if e.Cause == event.LoginService {
			return LoginArea
		}
		if e.Kind == event.LostConnection {
			return VisitArea
		}
	}
	return OwnArea
}
