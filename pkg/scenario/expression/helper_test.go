package expression

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHelpers(t *testing.T) {
	tests := map[string]bool{
		`IpInRange('192.0.2.7', '192.0.2.0/24')`:                                          true,
		`IpInRange('192.0.2.7', 'nonsense')`:                                              false,
		`IpInRange('nonsense', '192.0.2.0/24')`:                                           false,
		`IpToRange('192.0.2.7', '/24') == '192.0.2.0/24'`:                                 true,
		`IpToRange('2001:db8::1', '64') == '2001:db8::/64'`:                               true,
		`IpToRange('nonsense', '64') == ''`:                                               true,
		`IsIPV4('::ffff:192.0.2.7') && IsIPV6('2001:db8::1') && not IsIP('x')`:            true,
		`IsIP('fe80::1%eth0') || IsIPV6('fe80::1%eth0')`:                                  false,
		`Upper('a') + Lower('B') == 'Ab'`:                                                 true,
		`Match('a*c?', 'abbbcd') && !Match('a*c', 'ab')`:                                  true,
		`Match('*', '') && Match('a*', 'a') && Match('a**', 'ab') && Match('a**b', 'ab')`: true,
		`Match('**', '') || Match('a**', 'a') || Match('*a***', 'a')`:                     false,
		`Split('a,b', ',')[1] == 'b' && Get(Fields('x y'), 1) == 'y'`:                     true,
		`Get(Fields('x y'), 7) == ''`:                                                     true,
		`len(Distinct(['a', 'b', 'a'])) == 2`:                                             true,
		`len(Flatten(['a', ['b', 'c']], 'd')) == 4`:                                       true,
		`len(FlattenDistinct(['a', ['b', 'a']], 'b')) == 2`:                               true,
		`len(Distinct(['a', get(evt.Meta, 'helo'), 1, 1.0])) == 4`:                        true,
		`Distinct('a') == nil`:                                                            true,
		`Atof('1.5') > 1.4 && FloatApproxEqual(Atof('1.0'), 1.0)`:                         true,
		`Sprintf('%s-%d', 'a', 3) == 'a-3'`:                                               true,
		`B64Decode('Ym9i') == 'bob'`:                                                      true,
		`ParseUnix('1772366400') == '2026-03-01T12:00:00Z'`:                               true,
		`ReplaceAll('aXa', 'X', '-') == 'a-a' && TrimPrefix('xab', 'x') == 'ab'`:          true,
		`PathUnescape('%41') == 'A' && PathUnescape('%') == '%'`:                          true,
		`evt.GetMeta('kind') == 'auth-failed' && evt.GetType() == 'log'`:                  true,
		`evt.Time.Year() == 2026 && evt.StrTime startsWith '2026' && evt.Line.Raw != ''`:  true,
		`len(evt.Unmarshaled) == 0`:                                                       true,
		`evt.Meta.source_ip in ['192.0.2.1'] and evt.Meta['service'] == "postfix"`:        true,
	}
	c := NewCompiler(NewDataFiles())
	for source, want := range tests {
		x, err := c.compile(source, filterEnv{}, 1)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		m := Machine{In: &Input{Event: failure("192.0.2.1", "bob", time.Second)}}
		if got, ok := m.Decide(x); got != want || !ok {
			t.Errorf("%s is %v, %v, want %v, ok true", source, got, ok, want)
		}
	}
}

// TestHelpersThatFail: an expression fails where it fails in CrowdSec.
func TestHelpersThatFail(t *testing.T) {
	c := NewCompiler(NewDataFiles())
	for _, source := range []string{
		"len(Distinct(Fields('a b'))) == 2", "len(Distinct([['a'], ['a']])) == 1", "len(Distinct(get(evt.Meta, 'helo'))) == 0",
		"len(Flatten(['a', get(evt.Meta, 'helo')])) == 1", "len(FlattenDistinct(['a', [get(evt.Meta, 'helo')]])) == 1",
		"len(FlattenDistinct([{'a': 1}])) == 1", "Get(Fields('x'), -1) == ''",
	} {
		x, err := c.compile(source, filterEnv{}, 1)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		m := Machine{In: &Input{Event: failure("192.0.2.1", "bob", time.Second)}}
		if got, ok := m.Decide(x); ok {
			t.Errorf("%s is %v", source, got)
		}
	}
}

// TestWildcard compares Match with its definition, which tries every split.
func TestWildcard(t *testing.T) {
	var defined func(pattern, name string) bool
	defined = func(pattern, name string) bool {
		switch {
		case pattern == "":
			return name == ""
		case name == "":
			return pattern == "*"
		case pattern[0] == '*':
			return defined(pattern[1:], name) || defined(pattern, name[1:]) || defined(pattern[1:], "")
		}
		return (pattern[0] == '?' || pattern[0] == name[0]) && defined(pattern[1:], name[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		pattern, name := rapid.StringMatching("[ab?*]{0,6}").Draw(t, "pattern"), rapid.StringMatching("[ab]{0,6}").Draw(t, "name")
		if got, want := wildcard(pattern, name), defined(pattern, name); got != want {
			t.Fatalf("Match(%q, %q) is %v, want %v", pattern, name, got, want)
		}
	})
}
