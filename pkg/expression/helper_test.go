package expression

import (
	"testing"
	"time"
)

func TestHelpers(t *testing.T) {
	tests := map[string]bool{
		`IpInRange('192.0.2.7', '192.0.2.0/24')`:                                         true,
		`IpInRange('192.0.2.7', 'nonsense')`:                                             false,
		`IpInRange('nonsense', '192.0.2.0/24')`:                                          false,
		`IpToRange('192.0.2.7', '/24') == '192.0.2.0/24'`:                                true,
		`IpToRange('2001:db8::1', '64') == '2001:db8::/64'`:                              true,
		`IpToRange('nonsense', '64') == ''`:                                              true,
		`IsIPV4('::ffff:192.0.2.7') && IsIPV6('2001:db8::1') && not IsIP('x')`:           true,
		`Upper('a') + Lower('B') == 'Ab'`:                                                true,
		`Match('a*c?', 'abbbcd') && !Match('a*c', 'ab')`:                                 true,
		`Split('a,b', ',')[1] == 'b' && Get(Fields('x y'), 1) == 'y'`:                    true,
		`Get(Fields('x y'), 7) == ''`:                                                    true,
		`len(Distinct(['a', 'b', 'a'])) == 2`:                                            true,
		`len(Flatten(['a', ['b', 'c']], 'd')) == 4`:                                      true,
		`Atof('1.5') > 1.4 && FloatApproxEqual(Atof('1.0'), 1.0)`:                        true,
		`Sprintf('%s-%d', 'a', 3) == 'a-3'`:                                              true,
		`B64Decode('Ym9i') == 'bob'`:                                                     true,
		`ParseUnix('1772366400') == '2026-03-01T12:00:00Z'`:                              true,
		`ReplaceAll('aXa', 'X', '-') == 'a-a' && TrimPrefix('xab', 'x') == 'ab'`:         true,
		`PathUnescape('%41') == 'A' && PathUnescape('%') == '%'`:                         true,
		`evt.GetMeta('kind') == 'auth-failed' && evt.GetType() == 'log'`:                 true,
		`evt.Time.Year() == 2026 && evt.StrTime startsWith '2026' && evt.Line.Raw != ''`: true,
		`len(evt.Unmarshaled) == 0`:                                                      true,
		`evt.Meta.source_ip in ['192.0.2.1'] and evt.Meta['service'] == "postfix"`:       true,
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
			t.Errorf("%s is %v, %v", source, got, ok)
		}
	}
}
