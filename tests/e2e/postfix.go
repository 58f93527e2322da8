//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

const domain = "example.org" // the server's own

// writePostfix writes Postfix's configuration and its empty queue. Port 25 knows
// logins without TLS; the submission port demands TLS first.
func writePostfix(cfg serverConfig) error {
	for _, sub := range []string{"spool", "lib"} {
		if err := os.Mkdir(filepath.Join(cfg.Dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := chownTo(cfg, filepath.Join(cfg.Dir, "lib"), "postfix"); err != nil {
		return err
	}
	files := map[string]string{"main.cf": mainCf(cfg), "master.cf": masterCf}
	if cfg.Enforce {
		files["main.cf"] += enforceMainCf
		files["master.cf"] = enforceMasterCf()
	}
	if cfg.Apart != "" {
		files["main.cf"], files["master.cf"] = apartMainCf(files["main.cf"]), apartMasterCf()
	}
	if cfg.Wide {
		files["main.cf"] += wideMainCf
		files["master.cf"] += wideMasterCf
		maps.Copy(files, wideTables())
	}
	return writeFiles(filepath.Join(cfg.Dir, "etc", "postfix"), files)
}

func mainCf(cfg serverConfig) string {
	settings := []string{
		"compatibility_level = 3.6",
		"myhostname = mx1." + domain,
		"mydomain = " + domain,
		"mydestination =",
		"alias_maps =",
		"mynetworks = 127.0.0.0/8 [::1]/128",
		"inet_protocols = all",
		"virtual_mailbox_domains = " + domain,
		"virtual_mailbox_maps = inline:{" + mailboxes() + "}",
		"virtual_transport = discard",
		"default_transport = discard",
		"transport_maps = inline:{" + transports() + "}",
		"smtpd_sasl_type = dovecot",
		"smtpd_sasl_path = private/auth",
		"smtpd_sasl_auth_enable = yes",
		"smtpd_tls_security_level = may",
		"smtpd_tls_cert_file = /etc/dovecot/cert.pem",
		"smtpd_tls_key_file = /etc/dovecot/key.pem",
		"smtpd_helo_required = yes",
		"smtpd_error_sleep_time = 0",
		"notify_classes =",
		"smtp_connection_cache_on_demand = no", // one session a mail: see refuseMail
		"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
		"smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unknown_client_hostname",
	}
	if cfg.OwnLogs {
		settings = append(settings, "maillog_file_prefixes = "+cfg.Dir, "maillog_file = "+postfixOwnLog(cfg.Dir))
	}
	return strings.Join(settings, "\n") + "\n"
}

func postfixOwnLog(dir string) string { return filepath.Join(dir, "postfix-own.log") }

func mailboxes() string {
	var rows []string
	for user := range passwords {
		rows = append(rows, fmt.Sprintf("%s@%s=x", user, domain))
	}
	return strings.Join(rows, ", ")
}

// transports sends mail for the refusing domains to the clients that play their
// mail hosts; every other delivery is discarded.
func transports() string {
	return "refusing-v4.example=smtp:[" + refusingV4 + "], refusing-v6.example=smtp:[" + refusingV6 + "]"
}

const masterCf = `
smtp       inet  n - n -    -   smtpd
submission inet  n - n -    -   smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_auth_only=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=
pickup     unix  n - n 60   1   pickup
cleanup    unix  n - n -    0   cleanup
qmgr       unix  n - n 300  1   qmgr
tlsmgr     unix  - - n 1000 1   tlsmgr
rewrite    unix  - - n -    -   trivial-rewrite
bounce     unix  - - n -    0   bounce
defer      unix  - - n -    0   bounce
trace      unix  - - n -    0   bounce
verify     unix  - - n -    1   verify
flush      unix  n - n 1000 0   flush
proxymap   unix  - - n -    -   proxymap
smtp       unix  - - n -    -   smtp
showq      unix  n - n -    -   showq
error      unix  - - n -    -   error
retry      unix  - - n -    -   error
discard    unix  - - n -    -   discard
anvil      unix  - - n -    1   anvil
scache     unix  - - n -    1   scache
postlog    unix-dgram n - n - 1 postlogd
`
