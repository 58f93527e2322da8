//go:build e2e

package e2e

// The ports of the wide server. Each service stands for one way of setting up
// Postfix, so that one client's tests do not disturb another's.
const (
	portSMTPS     = "465"
	portScreened  = "2525" // postscreen in front of smtpd
	portStrict    = "2601" // every restriction
	portLimits    = "2602" // rate limits
	portNoLookup  = "2603" // a table that does not answer
	portNoAuth    = "2604" // a login service that hangs up
	portFiltered  = "2605" // a milter
	portImpatient = "2606" // few errors and little time
	portOrderly   = "2607" // no pipelining, no bare newlines
	portNoPolicy  = "2608" // a policy server that is down
	portTLSLimits = "2609"
	portPlaces    = "2610" // one connection a client
	portNoRoom    = "2611" // mails may be larger than the disk
	portNoBoxes   = "2612" // a table of mailboxes that does not answer

	milterAddress = "127.0.0.1:2700"
	authSocket    = "/var/spool/postfix/private/hangup"
)

const wideMainCf = `
anvil_status_update_time = 2s
header_checks = regexp:/etc/postfix/header_checks
body_checks = regexp:/etc/postfix/body_checks
postscreen_access_list = cidr:/etc/postfix/postscreen_access
postscreen_denylist_action = enforce
postscreen_greet_action = enforce
postscreen_greet_wait = 4s
postscreen_dnsbl_sites = bl.example*2, wl.example*-2
postscreen_dnsbl_action = enforce
postscreen_dnsbl_threshold = 2
postscreen_pipelining_enable = yes
postscreen_pipelining_action = enforce
postscreen_non_smtp_command_enable = yes
postscreen_non_smtp_command_action = drop
postscreen_bare_newline_enable = yes
postscreen_bare_newline_action = enforce
postscreen_command_count_limit = 8
postscreen_command_time_limit = 3s
postscreen_tls_security_level = may
`

const wideMasterCf = `
465 inet n - n - - smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_tls_wrappermode=yes
  -o { smtpd_tls_protocols = >=TLSv1.2 }
  -o { smtpd_tls_mandatory_protocols = >=TLSv1.2 }
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=
2525 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
2601 inet n - n - - smtpd
  -o { smtpd_client_restrictions = check_client_access cidr:/etc/postfix/client_access, reject_rbl_client bl.example, reject_rbl_client refusing.example }
  -o { smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, check_helo_access inline:{ymlf.example=REJECT}, reject_unknown_helo_hostname }
  -o { smtpd_sender_restrictions = reject_non_fqdn_sender, reject_sender_login_mismatch, check_sender_access inline:{{spam.example=REJECT}, {grey.example=DEFER}, {warned.example=WARN looked at}}, reject_unknown_sender_domain }
  -o { smtpd_recipient_restrictions = reject_non_fqdn_recipient, check_recipient_access inline:{{postmaster@example.org=550 5.7.1 We have had enough}, {later@example.org=450 4.2.0 Greylisted, see http://postgrey.example/help/}, {held@example.org=HOLD}}, warn_if_reject, reject_unknown_reverse_client_hostname }
  -o { smtpd_data_restrictions = reject_unauth_pipelining, reject_multi_recipient_bounce }
  -o smtpd_forbid_unauth_pipelining=no
  -o smtpd_reject_unlisted_recipient=yes
  -o strict_rfc821_envelopes=yes
  -o { smtpd_sender_login_maps = inline:{alice@example.org=alice@example.org} }
2602 inet n - n - - smtpd
  -o smtpd_client_connection_rate_limit=6
  -o smtpd_client_message_rate_limit=1
  -o smtpd_client_recipient_rate_limit=2
  -o smtpd_client_auth_rate_limit=2
2603 inet n - n - - smtpd
  -o { smtpd_recipient_restrictions = check_recipient_access tcp:127.0.0.1:9 }
2604 inet n - n - - smtpd
  -o smtpd_sasl_path=private/hangup
2605 inet n - n - - smtpd
  -o smtpd_milters=inet:` + milterAddress + `
2606 inet n - n - - smtpd
  -o smtpd_soft_error_limit=1
  -o smtpd_hard_error_limit=3
  -o smtpd_timeout=3s
  -o smtpd_junk_command_limit=3
2607 inet n - n - - smtpd
  -o smtpd_forbid_bare_newline=reject
  -o smtpd_forbid_unauth_pipelining=yes
  -o { smtpd_forbidden_commands = CONNECT GET POST }
2608 inet n - n - - smtpd
  -o { smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:9 }
2609 inet n - n - - smtpd
  -o smtpd_client_new_tls_session_rate_limit=1
2610 inet n - n - - smtpd
  -o smtpd_client_connection_count_limit=1
2611 inet n - n - - smtpd
  -o message_size_limit=999999999999999
2612 inet n - n - - smtpd
  -o virtual_mailbox_maps=tcp:127.0.0.1:9
`

// wideTables are the files that the settings name.
func wideTables() map[string]string {
	return map[string]string{
		"header_checks": "/^Subject: .*bargain/ REJECT no bargains here\n/^Subject: .*lottery/ DISCARD\n/^Subject: .*note this/ WARN noted\n",
		"body_checks":   "/wire the money/ REJECT not that either\n",
		"postscreen_access": "203.0.113.105 reject\n2001:db8:105::105 reject\n" +
			"198.51.100.106 permit\n2001:db8:106::106 permit\n",
		"client_access": "203.0.113.121 REJECT CrowdSec decision: ban\n2001:db8:121::121 521 5.7.1 CrowdSec decision: ban\n" +
			"198.51.100.122 REJECT\n2001:db8:122::122 REJECT\n",
	}
}
