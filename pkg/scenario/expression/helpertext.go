package expression

import (
	"fmt"
	"net/url"
	"strings"
)

// textHelpers are CrowdSec's wrappers of package strings
// (pkg/exprhelpers/strings.go, v1.7.8).
func textHelpers() []helper {
	one := func(f func(string) string) func(...any) (any, error) {
		return func(p ...any) (any, error) { return f(p[0].(string)), nil }
	}
	two := func(f func(a, b string) string) func(...any) (any, error) {
		return func(p ...any) (any, error) { return f(p[0].(string), p[1].(string)), nil }
	}
	oneType, twoType := new(func(string) string), new(func(string, string) string)
	return []helper{
		{"Upper", one(strings.ToUpper), oneType},
		{"Lower", one(strings.ToLower), oneType},
		{"TrimSpace", one(strings.TrimSpace), oneType},
		{"PathEscape", one(url.PathEscape), oneType},
		{"QueryEscape", one(url.QueryEscape), oneType},
		{"PathUnescape", one(orSame(url.PathUnescape)), oneType},
		{"QueryUnescape", one(orSame(url.QueryUnescape)), oneType},
		{"Trim", two(strings.Trim), twoType},
		{"TrimLeft", two(strings.TrimLeft), twoType},
		{"TrimRight", two(strings.TrimRight), twoType},
		{"TrimPrefix", two(strings.TrimPrefix), twoType},
		{"TrimSuffix", two(strings.TrimSuffix), twoType},
		{"Fields", func(p ...any) (any, error) { return strings.Fields(p[0].(string)), nil }, new(func(string) []string)},
		{"Index", func(p ...any) (any, error) { return strings.Index(p[0].(string), p[1].(string)), nil }, new(func(string, string) int)},
		{"IndexAny", func(p ...any) (any, error) { return strings.IndexAny(p[0].(string), p[1].(string)), nil }, new(func(string, string) int)},
		{"Join", func(p ...any) (any, error) { return strings.Join(p[0].([]string), p[1].(string)), nil }, new(func([]string, string) string)},
		{"Split", func(p ...any) (any, error) { return strings.Split(p[0].(string), p[1].(string)), nil }, new(func(string, string) []string)},
		{"SplitAfter", func(p ...any) (any, error) { return strings.SplitAfter(p[0].(string), p[1].(string)), nil }, new(func(string, string) []string)},
		{"SplitN", func(p ...any) (any, error) { return strings.SplitN(p[0].(string), p[1].(string), p[2].(int)), nil }, new(func(string, string, int) []string)},
		{"SplitAfterN", func(p ...any) (any, error) { return strings.SplitAfterN(p[0].(string), p[1].(string), p[2].(int)), nil }, new(func(string, string, int) []string)},
		{"Replace", func(p ...any) (any, error) {
			return strings.Replace(p[0].(string), p[1].(string), p[2].(string), p[3].(int)), nil
		}, new(func(string, string, string, int) string)},
		{"ReplaceAll", func(p ...any) (any, error) {
			return strings.ReplaceAll(p[0].(string), p[1].(string), p[2].(string)), nil
		}, new(func(string, string, string) string)},
		{"Get", func(p ...any) (any, error) {
			list, i := p[0].([]string), p[1].(int)
			switch {
			case i < 0:
				return nil, fmt.Errorf("there is no place %d in a list", i)
			case i >= len(list):
				return "", nil
			}
			return list[i], nil
		}, new(func([]string, int) string)},
	}
}

// orSame returns the text itself where f fails, as CrowdSec does.
func orSame(f func(string) (string, error)) func(string) string {
	return func(text string) string {
		if plain, err := f(text); err == nil {
			return plain
		}
		return text
	}
}
