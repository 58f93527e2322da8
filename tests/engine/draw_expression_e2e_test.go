//go:build e2e

package engine

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// drawer makes up scenarios, expressions and events. The same seed gives the same.
type drawer struct {
	*rand.Rand

	// daring lets expressions fail at run time: an index out of range, text that
	// is no number.
	daring bool
}

func newDrawer(seed uint64) *drawer { return &drawer{Rand: rand.New(rand.NewPCG(seed, seed))} }

func oneOf[T any](d *drawer, list ...T) T { return list[d.IntN(len(list))] }

// chance is true in n of 100 cases.
func (d *drawer) chance(n int) bool { return d.IntN(100) < n }

// form is one way to write an expression, and how often it is taken.
type form struct {
	weight int
	write  func() string
}

func (d *drawer) draw(forms ...form) string {
	sum := 0
	for _, f := range forms {
		sum += f.weight
	}
	at := d.IntN(sum)
	for _, f := range forms {
		if at -= f.weight; at < 0 {
			return f.write()
		}
	}
	panic("weights")
}

// values are what a field of evt.Meta may hold, and now and then what it never does.
var values = map[string][]string{
	"kind":                 {"auth-failed", "login-ok", "pregreet", "relay-denied", "recipient-unknown", "auth-fault", "nothing"},
	"class":                {"hostile", "suspect", "success", "fault", "own"},
	"service":              {"postfix", "dovecot", "postscreen", "ssh", "sshd"},
	"log_type":             {"postfix", "dovecot_logs", "ssh_failed-auth", ""},
	"log_type_enh":         {"spam-attempt", "non-smtp-command", ""},
	"action":               {"reject", ""},
	"dovecot_login_result": {"auth_failed", ""},
	"pregreet":             {"PREGREET", ""},
	"source_ip":            {"192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", ""},
	"source_block":         {"192.0.2.1", "2001:db8::/64"},
	"source_range":         {"192.0.2.0/24", "2001:db8::/64", "198.51.100.0/24"},
	"username":             {"info@example.org", "dora", "admin@example.org", ""},
	"account":              {"info", "dora", "admin", "test", ""},
	"target_user":          {"info@example.org", "dora", ""},
	"code":                 {"550", "5.1.1", ""},
	"helo":                 {"c.example", ""},
	"client_name":          {"unknown", "c.example", ""},
	"mechanism":            {"PLAIN", "LOGIN", "PAM", ""},
	"never":                {"", "x"},
}

// enumerated are the fields that kind, service and form of the line decide, and
// freeFields the others.
var (
	enumerated = []string{"kind", "class", "service", "log_type", "log_type_enh", "action", "dovecot_login_result", "pregreet"}
	freeFields = []string{
		"source_ip", "source_block", "source_range", "username", "account", "target_user", "code", "helo",
		"client_name", "mechanism", "never",
	}
	parsedOnes = []string{"program", "user", "remote_addr", "dovecot_user", "sshd_invalid_user", "smtp_return_codes", "action", "never"}
)

func quote(text string) string { return "'" + text + "'" }

// field is a field of an event, which is "evt" or, in a predicate, "" or "#".
func (d *drawer) field(event string) (text, name string) {
	name = oneOf(d, enumerated...)
	if d.chance(40) {
		name = oneOf(d, freeFields...)
	}
	if event == "" || event == "#" {
		return event + ".Meta." + name, name
	}
	switch d.IntN(14) {
	case 0:
		return event + ".Meta['" + name + "']", name
	case 1:
		text = "get(" + event + ".Meta, '" + name + "')" // nil where the event has none
		if !d.daring {
			text = "(" + text + " ?? '')"
		}
		return text, name
	case 2:
		return event + "?.Meta." + name, name
	case 3:
		return event + ".GetMeta('" + name + "')", name
	}
	return event + ".Meta." + name, name
}

// text is an expression that yields a text.
func (d *drawer) text(depth int) string {
	if depth <= 0 {
		return d.draw(
			form{8, func() string { field, _ := d.field("evt"); return field }},
			form{2, func() string { return "evt.Parsed." + oneOf(d, parsedOnes...) }},
			form{2, func() string { return quote(oneOf(d, "a", "-", "example", "1", "", "192.0.2.1", "Info", "x y")) }},
		)
	}
	depth--
	s := func() string { return d.text(depth) }
	call := func(name string, more ...string) func() string {
		return func() string { return name + "(" + strings.Join(append([]string{s()}, more...), ", ") + ")" }
	}
	return d.draw(
		form{12, func() string { return d.text(0) }},
		form{6, func() string { return s() + " + " + s() }},
		form{2, call(oneOf(d, "Lower", "Upper", "lower", "upper", "TrimSpace", "trim", "PathEscape", "QueryEscape", "QueryUnescape", "PathUnescape"))},
		form{2, call(oneOf(d, "Trim", "TrimLeft", "TrimRight", "TrimPrefix", "TrimSuffix", "trimPrefix", "trimSuffix"), quote(oneOf(d, "i", "19", "a", "")))},
		form{1, call("ReplaceAll", "'.'", "'-'")},
		form{1, call("Replace", "'e'", "''", strconv.Itoa(d.IntN(3)-1))},
		form{1, call("replace", "'o'", "'0'")},
		form{1, func() string { return "Sprintf('%s/%d', " + s() + ", " + d.number(depth) + ")" }},
		form{1, func() string { return "Get(Split(" + s() + ", '.'), " + strconv.Itoa(d.IntN(4)-d.fault(1)) + ")" }},
		form{1, func() string { return "Join(SplitN(" + s() + ", '.', 2), '|')" }},
		form{1, func() string { return "join(split(" + s() + ", '-'), '+')" }},
		form{1, func() string { return "Split(" + s() + ", '.')[" + strconv.Itoa(d.fault(3)) + "]" }},
		form{2, func() string { return "IpToRange(" + s() + ", '" + oneOf(d, "/16", "24", "/64", "/200", "x") + "')" }},
		form{2, func() string { return "(" + d.truth(depth) + " ? " + s() + " : " + s() + ")" }},
		form{1, func() string { return "(evt.Meta." + oneOf(d, freeFields...) + " ?? " + s() + ")" }},
		form{1, func() string { return "string(" + d.number(depth) + ")" }},
		form{1, call(oneOf(d, "ToString", "type", "toBase64", "toJSON"))},
		form{1, call("ParseUnix")},
		form{1, func() string { return s() + " | lower()" }},
		form{1, func() string { return "(let x = " + s() + "; x + '.' + x)" }},
		form{d.fault(1), call("B64Decode")},
	)
}

// fault is n, or 0 where expressions must not fail.
func (d *drawer) fault(n int) int {
	if d.daring {
		return n
	}
	return 0
}

// number is an expression that yields a whole number.
func (d *drawer) number(depth int) string {
	if depth <= 0 {
		return strconv.Itoa(d.IntN(20) - 2)
	}
	depth--
	s := func() string { return d.text(depth) }
	return d.draw(
		form{3, func() string { return d.number(0) }},
		form{5, func() string { return "len(" + s() + ")" }},
		form{2, func() string { return "Index(" + s() + ", '" + oneOf(d, ".", "a", "@") + "')" }},
		form{1, func() string { return "IndexAny(" + s() + ", '.@')" }},
		form{1, func() string { return "len(Split(" + s() + ", '.'))" }},
		form{1, func() string { return "len(Fields(" + s() + "))" }},
		form{1, func() string { return "count(split(" + s() + ", '.'), {len(#) > 1})" }},
		form{2, func() string {
			return "(" + d.number(depth) + oneOf(d, " + ", " - ", " * ") + d.number(depth) + ")"
		}},
		form{1, func() string { return "abs(" + d.number(depth) + ")" }},
		form{1, func() string { return "evt.Time." + oneOf(d, "Hour()", "Minute()", "Second()") }},
		form{1, func() string { return "max(" + d.number(depth) + ", " + d.number(depth) + ")" }},
		form{d.fault(1), func() string { return "int(" + s() + ")" }},
	)
}

// compared is a comparison of a field with a value that it may have.
func (d *drawer) compared(event string) string {
	field, name := d.field(event)
	value := func() string { return quote(oneOf(d, values[name]...)) }
	list := func() string {
		items := make([]string, 1+d.IntN(3))
		for i := range items {
			items[i] = value()
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	part := func() string {
		v := oneOf(d, values[name]...)
		return v[d.IntN(len(v)+1):]
	}
	return d.draw(
		form{8, func() string { return field + " == " + value() }},
		form{3, func() string { return field + " != " + value() }},
		form{4, func() string { return field + " in " + list() }},
		form{2, func() string { return field + " not in " + list() }},
		form{2, func() string { return field + " contains " + quote(part()) }},
		form{2, func() string { return field + oneOf(d, " startsWith ", " endsWith ") + quote(part()) }},
		form{2, func() string {
			return field + " matches '" + oneOf(d, "^a", "ed$", "[0-9]", "^(info|dora)", "o.t", "\\\\.1$", "^$") + "'"
		}},
		form{1, func() string { return field + oneOf(d, " < ", " >= ") + value() }},
		form{1, func() string { return value() + " == " + field }},
		form{1, func() string { return "not (" + field + " contains " + quote(part()) + ")" }},
	)
}

// truth is a condition about the event at hand.
func (d *drawer) truth(depth int) string {
	if depth <= 0 {
		return d.compared("evt")
	}
	depth--
	s := func() string { return d.text(depth) }
	return d.draw(
		form{14, func() string { return d.compared("evt") }},
		form{8, func() string { return d.truth(depth) + oneOf(d, " && ", " and ") + d.truth(depth) }},
		form{6, func() string { return "(" + d.truth(depth) + oneOf(d, " || ", " or ") + d.truth(depth) + ")" }},
		form{3, func() string { return oneOf(d, "!", "not ") + "(" + d.truth(depth) + ")" }},
		form{2, func() string { return d.truth(depth) + " || " + d.truth(depth) }},
		form{3, func() string {
			return d.number(depth) + oneOf(d, " > ", " >= ", " < ", " <= ", " == ", " != ") + d.number(depth)
		}},
		form{3, func() string {
			return s() + oneOf(d, " == ", " != ", " contains ", " startsWith ", " endsWith ", " < ") + s()
		}},
		form{1, func() string { return quote(oneOf(d, freeFields...)) + oneOf(d, " in ", " not in ") + "evt.Meta" }},
		form{2, func() string {
			return "IpInRange(" + s() + ", '" + oneOf(d, "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "x") + "')"
		}},
		form{2, func() string { return oneOf(d, "IsIP", "IsIPV4", "IsIPV6") + "(" + s() + ")" }},
		form{2, func() string {
			return "Match('" + oneOf(d, "*a*", "?n*", "192*1", "*", "", "a**", "**", "in?o*") + "', " + s() + ")"
		}},
		form{1, func() string { return s() + " in File('accounts.txt')" }},
		form{1, func() string { return "RegexpInFile(" + s() + ", 'patterns.txt')" }},
		form{1, func() string {
			return oneOf(d, "any", "all", "none", "one") + "(split(" + s() + ", '.'), {# " + oneOf(d, "==", "!=") + " '" + oneOf(d, "1", "192", "example") + "'})"
		}},
		form{1, func() string { return "(" + d.truth(depth) + " ? " + d.truth(depth) + " : " + d.truth(depth) + ")" }},
		form{1, func() string { return "(let x = " + s() + "; x == " + s() + ")" }},
		form{1, func() string { return "KeyExists('x', evt.Unmarshaled)" }},
		form{1, func() string { return "FloatApproxEqual(Atof(" + s() + "), 1.0)" }},
		form{1, func() string { return "LogInfo('seen')" }},
		form{1, func() string { return oneOf(d, "true", "false", "1 in 1..3") }},
		form{1, func() string { return "len(Distinct([" + s() + ", " + s() + "])) == 1" }},
		form{1, func() string { return "len(Flatten([" + s() + ", ['a', " + s() + "]])) > 2" }},
		form{1, func() string { return "len(FlattenDistinct([" + s() + ", [" + s() + "]])) > 1" }},
		form{1, func() string {
			return "evt.Time." + oneOf(d, "Weekday().String() == 'Sunday'", "Hour() < 3", "Unix() % 2 == 0")
		}},
	)
}

// about is a condition about a bucket and its queue.
func (d *drawer) about(depth int) string {
	forms := []form{
		{6, func() string { return "len(queue.Queue)" + d.beyond() }},
		{6, func() string { return "count(queue.Queue, {" + d.predicate() + "})" + d.beyond() }},
		{6, func() string { return oneOf(d, "any", "all", "none", "one") + "(queue.Queue, {" + d.predicate() + "})" }},
		{3, func() string { return "queue.Queue[-1].Meta." + d.comparedName() }},
		{2, func() string { return "queue.Queue[len(queue.Queue) - 1].Meta." + d.comparedName() }},
		{2, func() string { return "queue.Queue[0].Meta." + d.comparedName() }},
		{2, func() string { return oneOf(d, "first", "last") + "(queue.Queue).Meta." + d.comparedName() }},
		{3, func() string {
			return "len(" + oneOf(d, "Distinct", "uniq") + "(map(queue.Queue, {.Meta." + oneOf(d, "kind", "username", "source_ip", "service") + "})))" + d.beyond()
		}},
		{4, func() string { return "leaky.Total_count" + d.beyond() }},
		{2, func() string { return "(leaky.Last_ts - leaky.First_ts).Seconds() > " + strconv.Itoa(d.IntN(200)) }},
		{2, func() string { return "leaky.Last_ts.Sub(leaky.First_ts) > duration('" + oneOf(d, "1s", "2m") + "')" }},
		{2, func() string {
			return "len(queue.Queue) >= 2 && " + oneOf(d, "AverageInterval", "MedianInterval") + "(map(queue.Queue, {#.Time}))" +
				oneOf(d, " > ", " < ") + "duration('" + oneOf(d, "1s", "30s", "3m") + "')"
		}},
		{1, func() string { return "len(queue.GetQueue())" + d.beyond() }},
		{1, func() string { return "len(filter(queue.Queue, {" + d.predicate() + "}))" + d.beyond() }},
		{1, func() string { return "queue.L" + d.beyond() }},
		{1, func() string {
			return "len(groupBy(queue.Queue, .Meta." + oneOf(d, "service", "username") + "))" + d.beyond()
		}},
		{1, func() string { return "sum(map(queue.Queue, len(.Meta.username)))" + d.beyond() }},
		{1, func() string { return "findIndex(queue.Queue, {" + d.predicate() + "}) == " + strconv.Itoa(d.IntN(3)) }},
		{1, func() string { return "queue.Queue[-1].Time.Sub(queue.Queue[0].Time) > duration('10s')" }},
		{1, func() string { return "len(queue.Queue[1:])" + d.beyond() }},
		{d.fault(2), func() string { return "queue.Queue[2].Meta." + d.comparedName() }},
	}
	if depth > 0 {
		forms = append(forms,
			form{8, func() string { return d.about(depth-1) + oneOf(d, " && ", " and ") + d.about(depth-1) }},
			form{4, func() string { return "(" + d.about(depth-1) + oneOf(d, " || ", " or ") + d.about(depth-1) + ")" }},
			form{3, func() string { return oneOf(d, "!", "not ") + "(" + d.about(depth-1) + ")" }},
		)
	}
	return d.draw(forms...)
}

func (d *drawer) beyond() string {
	return fmt.Sprintf(" %s %d", oneOf(d, ">", ">=", "==", "<", "!="), d.IntN(5))
}

// predicate is a condition about one event of the queue.
func (d *drawer) predicate() string {
	one := func() string {
		if d.chance(10) {
			return "len(.Meta." + oneOf(d, "username", "source_ip") + ") > " + strconv.Itoa(d.IntN(12))
		}
		return d.compared(oneOf(d, "", "", "#"))
	}
	switch {
	case d.chance(15):
		return one() + " && " + one()
	case d.chance(10):
		return one() + " || " + one()
	case d.chance(10):
		return "not (" + one() + ")"
	}
	return one()
}

func (d *drawer) comparedName() string {
	return strings.TrimPrefix(d.comparedField(), ".Meta.")
}

// comparedField compares a field that stands at the beginning.
func (d *drawer) comparedField() string {
	name := oneOf(d, enumerated...)
	if d.chance(40) {
		name = oneOf(d, freeFields...)
	}
	return ".Meta." + name + oneOf(d, " == ", " != ") + quote(oneOf(d, values[name]...))
}
