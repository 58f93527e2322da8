//go:build e2e

package e2e

// provocations bring forth each kind of line that can be had from the wide
// server. What is listed as hostile may be banned for it, nobody else may.
func provocations() []scenario {
	return []scenario{
		{"pregreet", "203.0.113.101", "2001:db8:101::101", true, unnamed, pregreet},
		{"screened-listed", "198.51.100.102", "2001:db8:102::102", true, listed, screenedRefused},
		{"screened-new", "203.0.113.103", "2001:db8:103::103", false, verified, screenedNew},
		{"screened-pipeliner", "198.51.100.104", "2001:db8:104::104", true, unnamed, screenedPipelining},
		{"screened-denied", "203.0.113.105", "2001:db8:105::105", false, unnamed, screenedRefused},
		{"screened-allowed", "198.51.100.106", "2001:db8:106::106", false, verified, screenedAllowed},
		{"screened-http", "203.0.113.107", "2001:db8:107::107", true, unnamed, screenedHTTP},
		{"screened-bare", "198.51.100.108", "2001:db8:108::108", true, unnamed, screenedBareNewline},
		{"screened-hangup", "203.0.113.109", "2001:db8:109::109", false, verified, screenedHangup},
		{"screened-many", "198.51.100.110", "2001:db8:110::110", true, unnamed, screenedMany},
		{"screened-long", "203.0.113.111", "2001:db8:111::111", true, unnamed, screenedLong},
		{"screened-slow", "198.51.100.112", "2001:db8:112::112", false, verified, screenedSlow},
		{"screened-data", "203.0.113.113", "2001:db8:113::113", true, unnamed, screenedData},
		{"screened-tls", "198.51.100.114", "2001:db8:114::114", false, verified, screenedTLS},
		{"screened-tls-error", "203.0.113.115", "2001:db8:115::115", false, unnamed, screenedTLSError},

		{"strict-helo", "198.51.100.116", "2001:db8:116::116", true, verified, strictHelo},
		{"strict-sender", "203.0.113.117", "2001:db8:117::117", true, verified, strictSender},
		{"strict-recipient", "198.51.100.118", "2001:db8:118::118", true, verified, strictRecipient},
		{"strict-listed", "203.0.113.119", "2001:db8:119::119", true, listed, strictClient(554)},
		{"strict-unlisted", "198.51.100.120", "2001:db8:120::120", false, refused, strictClient(554)},
		{"strict-decision", "203.0.113.121", "2001:db8:121::121", false, verified, strictOwn},
		{"strict-denied", "198.51.100.122", "2001:db8:122::122", true, verified, strictClient(554)},
		{"syntax", "203.0.113.123", "2001:db8:123::123", true, verified, syntax},
		{"limits", "198.51.100.124", "2001:db8:124::124", true, verified, limits},
		{"no-lookup", "203.0.113.125", "2001:db8:125::125", false, verified, refusedByFault(portNoLookup)},
		{"no-auth-service", "198.51.100.126", "2001:db8:126::126", false, verified, noAuthService},
		{"milter", "203.0.113.127", "2001:db8:127::127", true, verified, filtered},
		{"impatient", "198.51.100.128", "2001:db8:128::128", true, verified, impatient},
		{"disorderly", "203.0.113.129", "2001:db8:129::129", true, verified, disorderly},
		{"no-policy", "198.51.100.130", "2001:db8:130::130", false, verified, refusedByFault(portNoPolicy)},
		{"tls", "203.0.113.131", "2001:db8:131::131", true, verified, badTLS},
		{"plaintext", plaintextV4, plaintextV6, false, verified, plaintextRefused},
		{"mechanisms", "203.0.113.133", "2001:db8:133::133", true, unnamed, mechanisms},
		{"mailbox-probe", "198.51.100.134", "2001:db8:134::134", true, unnamed, probeMailbox},
		{"no-password-server", "203.0.113.135", "2001:db8:135::135", false, verified, brokenAccounts},
		{"pam", "198.51.100.136", "2001:db8:136::136", true, unnamed, guessPAM},
		{"other-logins", "203.0.113.137", "2001:db8:137::137", true, unnamed, otherLogins},
		{"ssh-guess", "198.51.100.138", "2001:db8:138::138", true, unnamed, guessSSH},
		{"ssh-user", "203.0.113.139", "2001:db8:139::139", false, verified, useSSH},
		{"ssh-probe", "198.51.100.140", "2001:db8:140::140", true, unnamed, probeSSH},
		{"ssh-denied", "203.0.113.141", "2001:db8:141::141", true, unnamed, deniedSSH},
		{"content", "198.51.100.142", "2001:db8:142::142", true, verified, forbiddenContent},
		{"no-room", "203.0.113.143", "2001:db8:143::143", false, verified, noRoom},
		{"two-at-once", "198.51.100.144", "2001:db8:144::144", false, verified, twoAtOnce},
		{"no-mailboxes", "203.0.113.147", "2001:db8:147::147", false, verified, refusedByFault(portNoBoxes)},
		{"hangup", "203.0.113.145", "2001:db8:145::145", true, verified, hangUp},
	}
}
