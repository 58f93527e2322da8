package document

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// refusalCause is why other servers refuse the mail of this host, as far as their answers
// name a cause that can be mended here. The signs follow the wording of Gmail, Outlook,
// Yahoo, mail.ru, GMX and web.de, T-Online, Proofpoint, Mimecast, and servers with Postfix;
// they were not taken from recorded logs.
type refusalCause struct {
	id       string
	severity Severity
	least    int      // so many answers make a finding
	signs    []string // in lower case; one between blanks must be a word
	except   []string // signs of an answer that is about something else
	title    string
	detail   string
	advice   func(*Document) string
}

// answerRows leaves those rows of the CSV report that hold the answers. No word is in all
// of those about one cause: T-Online's names neither a list nor a reputation.
const answerRows = " | grep -E '^(bounce|deferral)_detail'"

// refusalCauses are looked for in this order, because an answer may name a second one:
// Outlook limits the rate "due to IP reputation", Yahoo blocks for DMARC.
var refusalCauses = []refusalCause{
	{
		id: "own-mail-unauthenticated", severity: Warn, least: 1,
		signs: []string{
			" dmarc ", " dkim ", " spf ", "sender policy framework", "sender is unauthenticated", "unauthenticated email", "required authentication level",
			"ptr record", "dns ptr", "cannot find your hostname", "cannot find your reverse hostname", "no reverse dns",
		},
		title:  "Other servers refuse mail from here because of SPF, DKIM, DMARC or this host's name",
		detail: "If the domain is yours, mend its DNS entries or the signing; mail that is forwarded unchanged for others fails so too.",
		advice: func(d *Document) string {
			return d.Command("-o csv") + answerRows
		},
	},
	{
		id: "own-mail-rate-limited", severity: Warn, least: 5,
		signs: []string{
			"rate limit", "rate-limit", "ratelimit", "unusual rate", "unexpected volume", "limits for how many messages", "too many messages", "sending rate",
		},
		except: []string{"over quota", "quota exceeded", "user unknown", "does not exist"},
		title:  "Other servers take mail from here only slowly, because it is too much for them",
		detail: "Look for a newsletter, a stolen password, or spam that is forwarded; the mail waits, and Postfix tries again.",
		advice: func(*Document) string { return "postqueue -p | grep -iE -A2 'rate|volume|too many'" },
	},
	{
		id: "own-address-listed", severity: Urgent, least: 1,
		signs: []string{
			"s3140", "s3150", "banned sending ip", "blocked using", "spamhaus", "barracuda", " spamcop ", " sorbs ", "uceprotect", "block list", "blocklist", "block listed", "blacklist", "denylist",
			"dnsbl", "listed at", "listed in", "poor reputation", "bad reputation", "low reputation", "ip reputation", ofOwnAddress,
		},
		except: []string{ // the recipient's own list, the content, the sender's domain
			"recipient's block", "by recipient", "by the recipient", "by the user", "by user", "user blacklisted", "blacklisted sender", "sender address",
			"surbl", "uribl", "dbl.spamhaus.org", "sh-dbl", "rhsbl", " url ", "domain of the sender", "not listed",
			"user unknown", "no such user", "does not exist", "domain not found",
		},
		title:  "Other servers refuse mail from here because of a block list or a bad reputation",
		detail: "Find out what spam left here, then ask the list to take the address off.",
		advice: func(d *Document) string { return d.Command("-o csv") + answerRows },
	},
}

// causeOf returns the cause that an answer names, -1 if it names none. Signs are looked
// for without the names in the answer, exceptions with them.
func causeOf(text string) int {
	answer, isAnswer := serverAnswer(text)
	if !isAnswer {
		return -1
	}
	said, all := words(withoutNames(answer)), words(answer)
	return slices.IndexFunc(refusalCauses, func(c refusalCause) bool {
		return containsAny(said, c.signs) && !containsAny(all, c.except) && !(c.id == "own-address-listed" && isOfDomain(all))
	})
}

// noAnswers are the beginnings of smtp(8)'s own texts (Postfix 3.7, src/smtp): no server
// answered, and the names in them are chosen by whoever sent the mail.
var noAnswers = []string{"connect to ", "lost connection with ", "conversation with ", "host or domain name not found"}

// filterFailed is in what amavisd answers when one of its own checks broke down. Usually it
// is this host's filter; elsewhere it says nothing about the mail either.
const filterFailed = "error in processing, id="

// serverAnswer returns what another server said, and false if the text is this host's own or
// is no verdict on the mail.
func serverAnswer(text string) (answer string, ok bool) {
	text = strings.TrimPrefix(text, "delivery temporarily suspended: ") // by qmgr(8), before the last error
	if server, said, found := strings.Cut(text, " refused to talk to me: "); found && strings.HasPrefix(server, "host ") {
		return said, isNamed(strings.TrimPrefix(server, "host "))
	}
	lower := strings.ToLower(text)
	return text, !strings.Contains(lower, filterFailed) && !slices.ContainsFunc(noAnswers, func(start string) bool { return strings.HasPrefix(lower, start) })
}

// isNamed reports whether NAME[ADDRESS] has a name of another host. The filters of this
// host stand in Postfix's configuration as localhost or as an address, which the counted
// texts hold as ADDR.
func isNamed(server string) bool {
	name, _, _ := strings.Cut(server, "[")
	return name != "localhost" && name != "ADDR"
}

// isOfDomain reports whether an answer says that a domain is on a list, such as "Domain
// example.net blocked using rhsbl.example". A list of addresses names the client before.
func isOfDomain(text string) bool {
	before, _, ok := strings.Cut(text, "blocked using")
	at := strings.LastIndex(before, " domain ")
	return ok && at >= 0 && !strings.Contains(before[at:], " client ")
}

// ofOwnAddress is written by withoutNames for a name that isOfOwnAddress.
const ofOwnAddress = "[own-address]"

// addressPages are the beginnings of the pages, without scheme and www, to which answers
// send the owner of a listed address.
var addressPages = []string{
	"ipcheck.proofpoint.com/", "spamhaus.org/query/", "spamhaus.org/sbl/", "check.spamhaus.org/", "spamcop.net/", "barracudanetworks.com/reputation", "barracudacentral.org/", "sorbs.net/", "uceprotect.net/",
}

// isOfOwnAddress reports whether a name in an answer is one that is given only to those
// whose address is listed: T-Online's mailbox for them, or a page of a list.
func isOfOwnAddress(name string) bool {
	page := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://"), "www.")
	return name == "tosa@rx.t-online.de" || slices.ContainsFunc(addressPages, func(start string) bool { return strings.HasPrefix(page, start) })
}

// withoutNames returns a text without its host names, mail addresses and URLs, because a
// sender can choose some of them: a mail to postmaster@dnsbl-watch.example is answered
// with that name.
func withoutNames(text string) string {
	isBetween := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("(),;<>\"", r) }
	kept := strings.FieldsFunc(text, isBetween)
	for i, word := range kept {
		name := strings.ToLower(strings.Trim(word, ".:!?'"))
		switch {
		case !strings.ContainsAny(name, ".@"):
		case isOfOwnAddress(name):
			kept[i] = ofOwnAddress
		default:
			kept[i] = "NAME"
		}
	}
	return strings.Join(kept, " ")
}

// words returns a text in lower case with a blank for each bracket, comma and the like, and
// at both ends, so that a word between blanks is a whole one. A part of a name or an address
// is none.
func words(text string) string {
	blank := func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("(),;:=!?\"", r) {
			return ' '
		}
		return unicode.ToLower(r)
	}
	return " " + strings.Map(blank, text) + " "
}

func containsAny(text string, signs []string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(text, sign) })
}

// refusedElsewhere returns why other servers refuse the mail of this host.
func (d *Document) refusedElsewhere() []Finding {
	type seen struct {
		count   int
		relays  []string
		example string
	}
	all := make([]seen, len(refusalCauses))
	add := func(relay string, answers map[string]int) {
		for _, text := range slices.Sorted(maps.Keys(answers)) {
			cause := causeOf(text)
			if cause < 0 {
				continue
			}
			s := &all[cause]
			s.count += answers[text]
			if s.example == "" {
				s.example = text
			}
			if relay != "" && !slices.Contains(s.relays, relay) {
				s.relays = append(s.relays, relay)
			}
		}
	}
	for _, relay := range slices.Sorted(maps.Keys(d.BounceDetail)) {
		if d.isElsewhere(relay) {
			add(relay, d.BounceDetail[relay].By)
		}
	}
	for _, agent := range []string{"smtp", "error"} { // error(8) says it again while a server refuses all
		add("", d.DeferralDetail[agent].By)
	}
	var found []Finding
	for i, s := range all {
		if c := refusalCauses[i]; s.count >= c.least {
			found = append(found, Finding{
				ID: c.id, Severity: c.severity, Count: s.count, Subjects: s.relays[:min(len(s.relays), 10)],
				Title: fmt.Sprintf("%s: %s", c.title, times(s.count)), Detail: c.detail + " An answer: " + s.example, Advice: c.advice(d),
			})
		}
	}
	return found
}

// isElsewhere reports whether a relay is another host: none of this host's filters,
// commands and mailboxes. A name without a dot is never another host. A longer name is
// this host only if it is the same as a whole, since mx1 is the first label of many hosts.
func (d *Document) isElsewhere(relay string) bool {
	if addr, err := netip.ParseAddr(relay); err == nil {
		return !addr.IsLoopback() && !addr.IsPrivate()
	}
	return strings.Contains(relay, ".") && relay != strings.ToLower(d.Host)
}
