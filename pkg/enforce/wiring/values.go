package wiring

import "strings"

// Values reads what postconf(1) and doveconf(1) print: the value of each setting by its
// name, such as "submission/inet/syslog_name". A setting inside of a block of Dovecot's
// has the block's name before its own: "auth_policy_server_url".
func Values(text string) map[string]string { return parse(text) }

// closes begins the problems that shut clients out.
const closes = "while csmail "

// Closes reports whether the setting shuts out honest clients while csmail is dead or
// hangs. With the settings of the other findings csmail only does less than it could.
func (f Finding) Closes() bool { return strings.HasPrefix(f.Problem, closes) }

// DovecotAttributes is the value of auth_policy_request_attributes that Dovecot 2.3 should
// have.
const DovecotAttributes = attributes23
