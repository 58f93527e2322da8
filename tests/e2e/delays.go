//go:build e2e

package e2e

// Dovecot slows down whoever guesses passwords. As shipped it answers a failed login
// after 2 s (auth_failure_delay), and it holds back the next logins of the same address
// by 2, 4, 8 and then 15 s: the authentication penalty (src/auth/auth-penalty.h, 2.3).
// Postfix waits for 10 s and then logs "Connection lost to authentication server".
const (
	// penaltyOff switches the penalty off in the way that Dovecot's documentation shows
	// (https://wiki2.dovecot.org/Authentication/Penalty).
	penaltyOff = `
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`
	// noDelays is for the tests whose matter is what the daemons log, and not when: the
	// clients of [scenarios] and [provocations] fail to log in up to twelve times each,
	// which with the delays takes them over two minutes instead of a second.
	noDelays = penaltyOff + "auth_failure_delay = 0\n"
)
