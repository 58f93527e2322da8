package guard

import "csmail/pkg/health"

// The areas of health, by the names of this package.
const (
	loginArea     = health.LoginArea
	resolverArea  = health.ResolverArea
	listArea      = health.ListArea
	recipientArea = health.RecipientArea
	visitArea     = health.VisitArea
)

// Breaker is the state of one of the host's own services that a rule depends on.
type Breaker = health.Breaker
