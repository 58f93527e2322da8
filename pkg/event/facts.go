package event

// Phase is the part of a conversation that a line reports, for daemons that report the
// same attempt more than once. The grammar sets it, so that the session join needs no
// log text.
type Phase uint8

// The phases.
const (
	NoPhase Phase = iota

	// Attempt is one attempt, as it happened. For example: "Login failed: Plaintext
	// authentication disabled" of a login process, or sshd's "Failed password".
	Attempt

	// Retry is a warning about an attempt that goes on: a server did not answer, and
	// the daemon asks again.
	Retry

	// End is the end of a connection, with a count of the attempts in it. For example:
	// "Disconnected (auth failed, 3 attempts in 12 secs)".
	End
)

// Cause is a service on our side that an offence may depend on, where the kind alone
// does not say it. The grammar sets it, so that the guard needs no log text. For
// example, a sender's domain that was not found may be the resolver's failure.
type Cause uint8

// The causes.
const (
	NoCause Cause = iota

	// LoginService: a connection that is lost or cut off after AUTH follows from the
	// login that failed.
	LoginService

	// Resolver: a sender's domain that was not found, for good or for now.
	Resolver

	// NoAnswer: the login service did not answer in time. It may be down, or hold
	// back its answers to an address that guesses (Dovecot's auth_penalty).
	NoAnswer

	// Relayed: a proxy reports the answer of the server behind it, which may log the same
	// login.
	Relayed

	// WholeMessage: what is refused is a message some of whose recipients were accepted.
	WholeMessage
)

// LastPhase and LastCause are the largest valid values in stored data.
const (
	LastPhase = End
	LastCause = WholeMessage
)
