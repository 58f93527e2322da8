package guard

import "csmail/pkg/health"

// The parts of our own that an offence can hang on, by the names of this package.
const (
	loginArea     = health.LoginArea
	resolverArea  = health.ResolverArea
	listArea      = health.ListArea
	recipientArea = health.RecipientArea
	visitArea     = health.VisitArea
)

// Breaker is the state of something of ours that a rule hangs on.
type Breaker = health.Breaker
