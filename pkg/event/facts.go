package event

// Phase says which part of a conversation a line reports, where a daemon reports the
// same attempt more than once. Its grammar sets it, so that the session join needs no
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

	// End is the end of a connection, which counts what happened in it. For example:
	// "Disconnected (auth failed, 3 attempts in 12 secs)".
	End
)

// Cause says on what of our own an offence depends beside the client, where its kind
// alone does not say it. Its grammar sets it, so that the guard needs no log text.
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
)

// LastPhase and LastCause bound what stored ones may be.
const (
	LastPhase = End
	LastCause = NoAnswer
)
