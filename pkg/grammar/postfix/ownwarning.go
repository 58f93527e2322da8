package postfix

import "strings"

// ownWarnings begin the warnings about our own configuration, and about invalid names,
// the client's or of its DNS. If they name a client, it did not cause them.
var ownWarnings = [...]string{
	"TLS library problem: ", "SASL ", "SASL: ", "connect to ", "problem talking to ",
	"timeout on ", "premature end-of-input on ", "milter ", "Milter service needs ", "database ", "run-time library vs",
	"restriction ", "access table ", "table ", "lookup ", "unable to ", "do not list ", "No TLS", "bad ETRN ", "reject: ETRN ",
	"haproxy ", "Wrapper-mode request dropped from ", "support for restriction", "TLS ",
	"timeout talking to proxy ", "lost connection with proxy ", "received garbage from proxy ", "proxy ", "connect #", "valid_", "Unable to look up ",
	"no MX host for ", "malformed domain name in ", "numeric domain name in ", "XCLIENT ", "XFORWARD ", "process ",
	"missing client address from proxy", "missing client port from proxy", "missing server address from proxy", "missing server port from proxy",
	"bad IPv4 client address syntax from proxy: ", "bad IPv6 client address syntax from proxy: ",
	"bad IPv4 server address syntax from proxy: ", "bad IPv6 server address syntax from proxy: ",
	"bad TCP client port number syntax from proxy: ", "bad TCP server port number syntax from proxy: ",
	"disabling input from ", "unexpected attribute ", "unexpected end-of-input from ", "duplicate attribute ", "missing attribute ",
	"malformed base64 data from ", "malformed numerical data from ", "missing value for ", "multiple values for ",
	"attribute count exceeds limit ", "error receiving ", "read TCP map reply from ", "cannot get ", "error loading ",
	"don't know ", "/", "private/", "proxymap ", "proxywrite ", "pgsql ", "mysql ", "dict ", "map ", "reason: ",
}

// complaintWords begin the warnings about a setting, a file or a reply. If one continues
// with "from CLIENT" it may be about that client, and does not count as a warning of our
// own.
var complaintWords = [...]string{
	"cannot ", "Cannot ", "can't ", "Can't ", "could not ", "Could not ", "error ", "bad ", "ignoring ", "invalid ", "Invalid ",
	"malformed ", "missing ", "unexpected ", "unknown ", "unsupported ", "skipping ", "failed to ", "Failed to ", "no ", "No ", "none of ",
	"read ", "write ", "open ", "close ", "fork: ", "empty ", "Both ", "Need a server cert ", "negative caching ", "incorrect ",
	"DNS record count limit ", "DNSSEC ", "reply length ", "res_nsearch", "system library ", "postmaster notify: ",
	"specify one of ", "define a restriction class ", "do not ", "this is not allowed ", "use DUNNO ", "parameter ", "relay_clientcerts: ",
	"rbl response code ", "DSN detail code ", "SMTP reply code ", "See earlier parsing error ", "remove before-queue ", "seek before-queue ",
	"truncate before-queue ", "using ", "disabling ", "loading ", "key at index ", "ECDSA ", "Digest algorithm ", "non-default ",
	"regexp map ", "pcre map ", "cidr map ", "backward time jump ", "pausing ", "prepending ", "Berkeley DB ", "Non-Berkeley-DB ", "non-Berkeley-DB ", "non_bdb ", "connection to ", "mapping ", "redirecting ",
}

// namedWarnings follow the name or setting that a warning begins with.
var namedWarnings = [...]string{
	"TXT lookup error: ", "MX or address lookup error: ", "address or MX lookup error: ", "unsupported TLS level ", "digest algorithm ",
	"response longer than ", "ignoring invalid reject filter result: ", "hash/btree support ",
}

// ourWarning recognises the warnings that accuse no client.
func ourWarning(text string) result {
	if hasAnyPrefix(text, ownWarnings[:]) {
		return benign
	}
	head, said, ok := strings.Cut(text, ":")
	if ok && (isTable(head) || isFunction(head) || hasAnyPrefix(strings.TrimPrefix(said, " "), namedWarnings[:])) {
		return benign
	}
	if !strings.Contains(text, " from ") && hasAnyPrefix(text, complaintWords[:]) {
		return benign
	}
	return missed
}

func hasAnyPrefix(text string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// isTable reports whether the name is a type of lookup table (DATABASE_README, 3.11).
func isTable(name string) bool {
	switch name {
	case "btree", "cdb", "cidr", "dbm", "environ", "fail", "hash", "inline", "lmdb", "ldap", "memcache", "mongodb", "mysql", "netinfo",
		"nis", "nisplus", "pcre", "pgsql", "pipemap", "proxy", "randmap", "regexp", "sdbm", "socketmap", "sqlite", "static", "tcp",
		"texthash", "unionmap", "unix", "utf8", "debug":
		return true
	}
	return strings.HasPrefix(name, "dict_")
}

// isFunction reports whether the name is a function of Postfix, as many warnings have it
// in front. It has an underscore and no dot, unlike a host name.
func isFunction(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '_' && c-'a' > 25 && c-'0' > 9 {
			return false
		}
	}
	return strings.Contains(name, "_")
}
