package document

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/report"
)

// answers are what mail providers say when they refuse a mail, with the finding that is
// right; "" is none.
var answers = []struct{ status, reply, want string }{
	// This host's address on a list, or of a bad reputation.
	{"bounced", "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors.", "own-address-listed"},
	{"bounced", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/ and follow the directions.", "own-address-listed"},
	{"bounced", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1", "own-address-listed"},
	{"deferred", "450 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using b.barracudacentral.org", "own-address-listed"},
	{"bounced", "554-gmx.net (mxgmx016) Nemesis ESMTP Service not available 554-No SMTP service 554-IP address is block listed. 554 For explanation visit https://postmaster.gmx.net/en/error-messages?ip=192.0.2.1&c=bl", "own-address-listed"},
	{"bounced", "554-web.de (mxweb112) Nemesis ESMTP Service not available 554-No SMTP service 554-Bad DNS PTR resource record. 554 For explanation visit https://postmaster.web.de/error-messages?ip=192.0.2.1&c=rdns", "own-mail-unauthenticated"},
	{"bounced", "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help or to contact tosa@rx.t-online.de for reset. (NOWL)", "own-address-listed"},
	{"bounced", "554 IP=192.0.2.1 - A problem occurred. Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify. (BL)", "own-address-listed"},
	{"bounced", "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list; see https://postmaster.yahooinc.com/550-bl23", "own-address-listed"},
	{"bounced", "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1", "own-address-listed"},
	{"bounced", "550 csi.mimecast.org Poor Reputation Sender. - https://community.mimecast.com/docs/DOC-1369#550 [abc.uk88]", "own-address-listed"},
	{"deferred", "421-4.7.0 [192.0.2.1      12] Gmail has detected that this message is suspicious due to the very low reputation of the sending IP address. To best protect our users from spam, the message has been blocked.", "own-address-listed"},

	// DMARC, SPF, DKIM, the name of this host.
	{"bounced", "550-5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy. Please contact the administrator of example.org domain if this was a legitimate mail. To learn about the DMARC initiative, go to https://support.google.com/mail/?p=DmarcRejection 4fb-1 - gsmtp", "own-mail-unauthenticated"},
	{"bounced", "550-5.7.26 This mail has been blocked because the sender is unauthenticated. 550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM. - gsmtp", "own-mail-unauthenticated"},
	{"bounced", "550-5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup, or the corresponding forward DNS entry does not match the sending IP. - gsmtp", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.509 Access denied, sending domain EXAMPLE.ORG does not pass DMARC verification and has a DMARC policy of reject. [AB1.eurprd01.prod.outlook.com]", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.515 Access denied, sending domain EXAMPLE.ORG doesn't meet the required authentication level. The sender's domain in the 5322.From address doesn't meet the authentication requirements", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.23 The message was rejected because of Sender Policy Framework violation -> 550 5.7.1 Recipient address rejected", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.1 This message was not accepted due to domain (example.org) owner DMARC policy (RFC 7489) https://help.mail.ru/mail-help/postmaster/dmarc", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.9 This mail has been blocked because the sender is unauthenticated. Yahoo requires all senders to authenticate with either SPF or DKIM.", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.1 <u@far.example>: Recipient address rejected: Message rejected due to: SPF fail - not authorized. Please see http://www.openspf.net/Why?s=mfrom;id=a@example.org", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]", "own-mail-unauthenticated"},
	{"deferred", "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "own-mail-unauthenticated"},
	{"bounced", "550 5.7.1 Client rejected: reverse DNS of 192.0.2.1 does not exist, no reverse DNS", "own-mail-unauthenticated"},
	{"bounced", "550 Rejected by DMARC policy - https://community.mimecast.com/docs/DOC-1369#550 [abc.uk88]", "own-mail-unauthenticated"},

	// Rate limits.
	{"deferred", "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://postmaster.live.com (S775)", "own-mail-rate-limited"},
	{"deferred", "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP Netblock [192.0.2.0]. To protect our users from spam, mail sent from your IP Netblock has been temporarily rate limited. - gsmtp", "own-mail-rate-limited"},
	{"deferred", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes", "own-mail-rate-limited"},
	{"deferred", "421 RP-001 (COL004-MC1F17) Unfortunately, some messages from 192.0.2.1 weren't sent. Please try again. We have limits for how many messages can be sent per hour and per day.", "own-mail-rate-limited"},
	{"deferred", "450 4.7.1 <a@example.org>: Sender address rejected: Ratelimit exceeded. Try again later", "own-mail-rate-limited"},
	{"deferred", "421 Too many messages (1.5.6.1), too many recipients from your IP; rate-limited", "own-mail-rate-limited"},

	// What a mail's recipient, content, or sender's domain brings about is nothing that
	// this host can mend.
	{"deferred", "450 4.2.0 <u@far.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/far.example.html", ""},
	{"deferred", "451 4.7.1 Greylisting in action, please come back in 00:05:00", ""},
	{"deferred", "450 4.3.2 Service currently unavailable", ""},
	{"deferred", "452-4.2.2 The recipient's inbox is out of storage space and inactive. Please direct the recipient to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp", ""},
	{"deferred", "450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. Please resend your message at a later time. - gsmtp", ""},
	{"bounced", "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address - gsmtp", ""},
	{"bounced", "550 Requested action not taken: mailbox unavailable 550 For explanation visit https://postmaster.gmx.net/en/case?c=r0103", ""},
	{"bounced", "554 5.7.1 Service unavailable; Sender address [a@shop.example] blocked using dbl.spamhaus.org", ""},
	{"bounced", "554 5.7.1 The message contains a URL (shop.example) listed in SURBL. See https://www.surbl.org/", ""},
	{"bounced", "550 5.7.1 <u@far.example>: the sender is on the recipient's block list", ""},
	{"bounced", "554 5.7.1 <u@far.example>: Recipient address rejected: user blacklisted your address", ""},
	{"bounced", "554 5.7.1 <a@shop.example>: Sender address rejected: Blacklisted sender", ""},
	{"bounced", "552 5.2.2 <u@far.example>: Quota exceeded (mailbox for user is full)", ""},
	{"bounced", "550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=x or report details to abuse@corp.mail.ru. Error: 1", ""},
	{"bounced", "553 5.7.1 <a@example.org>: Sender address rejected: not owned by user info@spfeil.example", ""},
	{"bounced", "550 5.1.1 <dmarc-reports@far.example>: Recipient address rejected: User unknown in virtual mailbox table", ""},
	{"deferred", "450 4.1.2 <u@spamcop.example>: Recipient address rejected: Domain not found", ""},
	{"deferred", "450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/blacklist.html", ""},
	{"deferred", "451 4.5.0 Error in processing, id=12-01, spf check failed: spamhaus timeout", ""},
	{"deferred", "451 4.5.0 Error in processing, id=00012-01-2, DKIM FAILED: DNS timeout at /usr/sbin/amavisd line 5", ""},
	{"deferred", "451 4.7.1 Error in SPF processing, id=12: no SPF record for example.org", "own-mail-unauthenticated"},
	{"bounced", "550 No mailbox postmaster@dnsbl-watch.example here", ""},
	{"bounced", "550 No mailbox tosa@rx.t-online.de.far.example here", ""},
	{"bounced", "550 No mailbox <dmarc/spf/blacklist@far.example> here", ""},
	{"bounced", "550 5.1.1 See https://far.example/?spf=no&dmarc=none&list=dnsbl", ""},
	{"bounced", "550 5.1.1 See https://www.spamhaus.org.far.example/query/ip/192.0.2.1", ""},
	{"bounced", "550 User absorbs@x.example not found", ""},
	{"bounced", "550 the host absorbs no mail", ""},
	{"bounced", "550 recipient not listed in directory", ""},
	{"bounced", "550 blacklisted by the recipient", ""},
	{"bounced", "554 URL listed in SpamHaus SH-DBL", ""},
	{"bounced", "554 Domain example.net blocked using rhsbl.example", ""},
	{"bounced", "554 The domain example.net is blocked using a list of domains", ""},
	{"bounced", "550 domain of the sender is listed in our policy", ""},

	// The same words where they are about this host.
	{"bounced", "554 5.7.1 Client host [192.0.2.1] blocked using dnsbl.sorbs.net; Currently Sending Spam", "own-address-listed"},
	{"bounced", "550 192.0.2.1 is in SORBS, ask there", "own-address-listed"},
	{"bounced", "550 Rejected. See https://www.spamhaus.org/query/ip/192.0.2.1", "own-address-listed"},
	{"bounced", "550 Rejected. See http://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.1", "own-address-listed"},
	{"bounced", "550 Mail for the domain far.example: client host [192.0.2.1] blocked using bl.example", "own-address-listed"},
	{"bounced", "550 5.7.1 192.0.2.1 is listed in bl.far.example", "own-address-listed"},
}

// causes are the findings about refusals elsewhere.
var causes = []string{"own-address-listed", "own-mail-unauthenticated", "own-mail-rate-limited"}

// refusalLog is a log where a provider answers so to ten mails.
func refusalLog(status, reply string) []string {
	var lines []string
	code, _, _ := strings.Cut(reply, " ")
	for i := range 10 {
		lines = append(lines, lineAt(time.Duration(i)*minute, "postfix/smtp[5]",
			"EEEEEE%d: to=<u@far.example>, relay=mx.far.example[203.0.113.5]:25, delay=2, delays=0/0/1/1, dsn=%s.7.1, status=%s (host mx.far.example[203.0.113.5] said: %s (in reply to RCPT TO command))", i, code[:1], status, reply))
	}
	return lines
}

func ownFindings(lines []string) []string {
	w := windowOf(lines, report.Scope{})
	in := w.Input()
	in.Zone = time.UTC
	var ids []string
	for _, f := range New(in).Findings {
		if slices.Contains(causes, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func TestRefusalsElsewhere(t *testing.T) {
	for _, tt := range answers {
		if got := strings.Join(ownFindings(refusalLog(tt.status, tt.reply)), ", "); got != tt.want {
			t.Errorf("%s (%s)\ngot  %q\nwant %q", tt.status, tt.reply, got, tt.want)
		}
	}
}

// A filter or a mailbox of this host is no other server, whatever it answers.
func TestRefusalsOfThisHost(t *testing.T) {
	const reply = "554 5.7.1 rejected: [192.0.2.7] blocked using zen.spamhaus.org, DMARC policy, rate limited"
	for name, line := range map[string]string{
		"filter":  "postfix/smtp[5]: EEEEEE1: to=<u@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0/0/1/1, dsn=5.7.1, status=bounced (host 127.0.0.1[127.0.0.1] said: %s (in reply to end of DATA command))",
		"mailbox": "postfix/lmtp[5]: EEEEEE1: to=<u@example.org>, relay=mx1.example.org[private/dovecot-lmtp], delay=2, delays=0/0/1/1, dsn=4.7.1, status=deferred (host mx1.example.org[private/dovecot-lmtp] said: %s (in reply to end of DATA command))",
		"command": "postfix/pipe[5]: EEEEEE1: to=<u@example.org>, relay=procmail, delay=2, delays=0/0/1/1, dsn=4.7.1, status=deferred (%s)",
	} {
		tag, text, _ := strings.Cut(fmt.Sprintf(line, reply), ": ")
		var lines []string
		for i := range 10 {
			lines = append(lines, lineAt(time.Duration(i)*minute, tag, "%s", text))
		}
		if got := ownFindings(lines); len(got) > 0 {
			t.Errorf("%s: got %q, want none", name, got)
		}
	}
}

// Where no server answered, the words are this host's own. A name in them is the
// recipient's choice. A server that refuses the connection does answer.
func TestTextsOfThisHost(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"connect to d12345a.ess.barracudanetworks.com[192.0.2.9]:25: Connection timed out", ""},
		{"Host or domain name not found. Name service error for name=blocklist.attacker.example type=MX: Host not found", ""},
		{"Host or domain name not found. Name service error for name=dnsbl type=MX: Host not found", ""},
		{"lost connection with mx1.blacklist.example[192.0.2.1] while receiving the initial server greeting", ""},
		{"lost connection with mx1[192.0.2.1] while sending DKIM (DATA command)", ""},
		{"conversation with blacklist[192.0.2.1] timed out while sending RCPT TO", ""},
		{"connect to barracuda[192.0.2.9]:25: Connection refused", ""},
		{"delivery temporarily suspended: connect to barracuda[192.0.2.9]:25: Connection refused", ""},
		{"host mx.barracuda-spf.example[192.0.2.9] refused to talk to me: 421 4.3.2 busy", ""},
		{"host mx.dnsbl.example[192.0.2.9] refused to talk to me: 450 connect to me later", ""},
		{"host localhost[127.0.0.1] refused to talk to me: 421 blocked using zen.spamhaus.org", ""},
		{"host 127.0.0.1[127.0.0.1] refused to talk to me: 421 blocked using zen.spamhaus.org", ""},
		{"host mx00.t-online.de[192.0.2.9] refused to talk to me: 554 IP=192.0.2.1 - A problem occurred. Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify. (BL)", "own-address-listed"},
		{"delivery temporarily suspended: host mx.far.example[192.0.2.9] refused to talk to me: 450 blocked using zen.spamhaus.org", "own-address-listed"},
	} {
		var lines []string
		for i := range 10 {
			lines = append(lines, lineAt(time.Duration(i)*minute, "postfix/smtp[5]", "EEEEEE%d: to=<u@far.example>, relay=none, delay=2, delays=0/0/1/1, dsn=4.4.1, status=deferred (%s)", i, tt.text))
		}
		if got := strings.Join(ownFindings(lines), ", "); got != tt.want {
			t.Errorf("%s\ngot  %q\nwant %q", tt.text, got, tt.want)
		}
	}
}

// One answer about a rate is usual, and the next attempt brings the mail.
func TestOneRateLimitIsNoFinding(t *testing.T) {
	line := refusalLog("deferred", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume")[:1]
	if got := ownFindings(line); len(got) > 0 {
		t.Errorf("got %q, want none", got)
	}
}

// The first label of a name, such as mx1, says nothing about whose host it is.
func TestIsElsewhere(t *testing.T) {
	for _, tt := range []struct {
		host, relay string
		want        bool
	}{
		{"mx1", "mx1.customer.example", true},
		{"mx1", "mx2.customer.example", true},
		{"mx1.example.org", "mx1.customer.example", true},
		{"MX1.example.org", "mx1.example.org", false},
		{"mx1.example.org", "mx1.example.org.customer.example", true},
		{"mx1", "mx1", false},
		{"mx1", "procmail", false},
		{"mx1", "localhost", false},
		{"", "mx1.customer.example", true},
		{"mx1", "127.0.0.1", false},
		{"mx1", "10.0.0.4", false},
		{"mx1", "203.0.113.5", true},
		{"mx1", "none", false},
	} {
		d := &Document{Host: tt.host}
		if got := d.isElsewhere(tt.relay); got != tt.want {
			t.Errorf("host %q, relay %q: got %v, want %v", tt.host, tt.relay, got, tt.want)
		}
	}
}

// The advice shows every answer, also one without a word such as "list".
func TestAdviceShowsTheAnswers(t *testing.T) {
	for _, tt := range answers {
		if tt.want != "own-address-listed" && tt.want != "own-mail-unauthenticated" {
			continue
		}
		in := windowOf(refusalLog(tt.status, tt.reply), report.Scope{}).Input()
		in.Zone = time.UTC
		for _, f := range New(in).Findings {
			if f.ID == tt.want && !strings.HasSuffix(f.Advice, " -o csv | grep -E '^(bounce|deferral)_detail'") {
				t.Errorf("%s: got the advice %q, want the rows bounce_detail and deferral_detail", tt.reply, f.Advice)
			}
		}
	}
}
