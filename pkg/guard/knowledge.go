package guard

import (
	"csmail/pkg/event"
	"csmail/pkg/health"
)

// knowledge is what speaks for and against the sources: who is never banned, what each
// did, what it proved, and what of our own worked when. It judges single offences, and
// decides about no finding.
type knowledge struct {
	never     []rule
	matcher   matcher // of never, for every connection
	limits    limits
	key       event.HashKey // of account names
	now       uint32        // the latest event, in seconds since 1970
	began     began         // the first login of each host
	memory    memory        // of the sources
	sites     *health.Sites // the times of working services, by host
	evicted   evictions
	forgiven  []forgiven // networks
	reporters reporters  // of proofs, in a cluster
	broken    broken
	logins    logins
	room      room // for the judgement at hand
}
