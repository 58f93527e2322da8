package expression

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// helper is a function of CrowdSec's that an expression may call.
type helper struct {
	name      string
	call      func(...any) (any, error)
	signature any // a pointer to a function of its type
}

// unsupported are the helpers of CrowdSec (pkg/exprhelpers/expr_lib.go, v1.7.8)
// that csmail has not: they read the network, a database, another request or
// formats that no mail log holds.
var unsupported = []string{
	"CrowdsecCTI", "Distance", "GetFromStash", "SetInStash", "JsonExtract", "JsonExtractUnescape", "JsonExtractLib",
	"JsonExtractSlice", "JsonExtractObject", "ToJsonString", "FileMap", "LookupFile", "ParseUri", "ParseQuery", "ExtractQueryParam",
	"XMLGetAttributeValue", "XMLGetNodeValue", "LookupHost",
	"GetDecisionsCount", "GetActiveDecisionsCount", "GetActiveDecisionsTimeLeft", "GetDecisionsSinceCount", "UnmarshalJSON",
	"ParseKV", "ParseKVLax", "Hostname", "LibInjectionIsSQLI", "LibInjectionIsXSS", "GeoIPEnrich", "GeoIPASNEnrich",
	"GeoIPRangeEnrich", "JA4H",
}

// helpers are the functions of pkg/exprhelpers (v1.7.8) that mail, ssh and
// generic scenarios use, with its answers for input that makes no sense.
func helpers(files *DataFiles) []helper {
	return slices.Concat(textHelpers(), addressHelpers(), otherHelpers(), []helper{
		{"File", func(p ...any) (any, error) { return files.lines(p[0].(string)), nil }, new(func(string) []string)},
		{"RegexpInFile", func(p ...any) (any, error) { return files.matches(p[0].(string), p[1].(string)), nil }, new(func(string, string) bool)},
	})
}

func addressHelpers() []helper {
	is := func(ok func(netip.Addr) bool) func(...any) (any, error) {
		return func(p ...any) (any, error) {
			addr, err := netip.ParseAddr(p[0].(string))
			return err == nil && addr.Zone() == "" && ok(addr.Unmap()), nil
		}
	}
	return []helper{
		{"IpInRange", func(p ...any) (any, error) { return inRange(p[0].(string), p[1].(string)), nil }, new(func(string, string) bool)},
		{"IpToRange", func(p ...any) (any, error) { return toRange(p[0].(string), p[1].(string)), nil }, new(func(string, string) string)},
		{"IsIP", is(netip.Addr.IsValid), new(func(string) bool)},
		{"IsIPV4", is(netip.Addr.Is4), new(func(string) bool)},
		{"IsIPV6", is(netip.Addr.Is6), new(func(string) bool)},
	}
}

// inRange is IpInRange: a text that is not an address or not a network is in no range.
func inRange(ip, cidr string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	prefix, err := netip.ParsePrefix(cidr)
	return err == nil && prefix.Contains(addr.Unmap())
}

// toRange is IpToRange: the network of the address with so many bits, "" for invalid
// input.
func toRange(ip, bits string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(bits, "/"))
	if err != nil {
		return ""
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	prefix, err := addr.Prefix(n)
	if err != nil {
		return ""
	}
	return prefix.String()
}

func otherHelpers() []helper {
	times := new(func([]any) time.Duration)
	return []helper{
		{"AverageInterval", func(p ...any) (any, error) { return intervals(p[0], average) }, times},
		{"MedianInterval", func(p ...any) (any, error) { return intervals(p[0], median) }, times},
		{"Flatten", func(p ...any) (any, error) { return flatten(nil, reflect.ValueOf(p)) }, new(func(...any) []any)},
		{"Distinct", func(p ...any) (any, error) { return distinctOf(p[0]) }, new(func(any) []any)},
		{"FlattenDistinct", func(p ...any) (any, error) {
			items, err := flatten(nil, reflect.ValueOf(p))
			if err != nil {
				return nil, err
			}
			return distinctValues(items)
		}, new(func(...any) []any)},
		{"FloatApproxEqual", func(p ...any) (any, error) { return math.Abs(p[0].(float64)-p[1].(float64)) < 1e-6, nil }, new(func(float64, float64) bool)},
		{"Sprintf", func(p ...any) (any, error) { return fmt.Sprintf(p[0].(string), p[1:]...), nil }, new(func(string, ...any) string)},
		{"LogInfo", func(...any) (any, error) { return true, nil }, new(func(string, ...any) bool)},
		{"KeyExists", func(p ...any) (any, error) { _, ok := p[1].(map[string]any)[p[0].(string)]; return ok, nil }, new(func(string, map[string]any) bool)},
		{"ToString", func(p ...any) (any, error) { text, _ := p[0].(string); return text, nil }, new(func(any) string)},
		{"Atof", func(p ...any) (any, error) { n, _ := strconv.ParseFloat(p[0].(string), 64); return n, nil }, new(func(string) float64)},
		{"Match", func(p ...any) (any, error) { return wildcard(p[0].(string), p[1].(string)), nil }, new(func(string, string) bool)},
		{"ParseUnix", func(p ...any) (any, error) { return unixStamp(p[0].(string)), nil }, new(func(string) string)},
		{"B64Decode", func(p ...any) (any, error) {
			text, err := base64.StdEncoding.DecodeString(p[0].(string))
			return string(text), err
		}, new(func(string) string)},
	}
}

// unixStamp is ParseUnix: seconds, with or without a fraction, as RFC 3339.
func unixStamp(text string) string {
	seconds, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n <= 0 {
		return ""
	}
	return time.Unix(n, 0).UTC().Format(time.RFC3339)
}

// intervals sorts the times, as CrowdSec does, and hands over their gaps.
func intervals(list any, sum func([]time.Duration) time.Duration) (time.Duration, error) {
	items, ok := list.([]any)
	if !ok {
		return 0, errors.New("an interval needs a list of times")
	}
	times := make([]time.Time, 0, len(items))
	for _, item := range items {
		t, ok := item.(time.Time)
		if !ok {
			return 0, fmt.Errorf("%v is no time", item)
		}
		times = append(times, t)
	}
	if len(times) < 2 {
		return 0, errors.New("an interval needs two times")
	}
	slices.SortFunc(times, time.Time.Compare)
	gaps := make([]time.Duration, 0, len(times)-1)
	for i := range times[1:] {
		gaps = append(gaps, times[i+1].Sub(times[i]))
	}
	return sum(gaps), nil
}

func average(gaps []time.Duration) time.Duration {
	var total time.Duration
	for _, gap := range gaps {
		total += gap
	}
	return total / time.Duration(len(gaps))
}

func median(gaps []time.Duration) time.Duration {
	slices.Sort(gaps)
	n := len(gaps)
	if n%2 == 1 {
		return gaps[n/2]
	}
	return (gaps[n/2-1] + gaps[n/2]) / 2
}

// flatten fails for a list that holds nothing somewhere, as CrowdSec does.
func flatten(items []any, v reflect.Value) ([]any, error) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil, errors.New("nil cannot be flattened")
	}
	if v.Kind() != reflect.Array && v.Kind() != reflect.Slice {
		return append(items, v.Interface()), nil
	}
	for i := range v.Len() {
		var err error
		if items, err = flatten(items, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// distinctOf takes a list in expr's form. Any other value counts as an empty list.
func distinctOf(list any) (any, error) {
	if items, ok := list.([]any); ok {
		return distinctValues(items)
	}
	if list == nil || reflect.TypeOf(list).Kind() == reflect.Slice {
		return nil, fmt.Errorf("%T is no list of values", list)
	}
	return nil, nil
}

func distinctValues(items []any) ([]any, error) {
	seen := map[any]bool{}
	values := []any{}
	for _, item := range items {
		if item != nil && !reflect.ValueOf(item).Comparable() {
			return nil, fmt.Errorf("%T cannot be compared", item)
		}
		if !seen[item] {
			seen[item] = true
			values = append(values, item)
		}
	}
	return values, nil
}

// wildcard is Match: "*" stands for any text, "?" for one byte, and two stars at
// the end for a text that is not empty (pkg/exprhelpers/helpers.go, v1.7.8). It
// remembers the last star instead of trying every split, so no pattern takes long.
func wildcard(pattern, name string) bool {
	p, n, star, resume := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return pattern[p:] == "" || pattern[p:] == "*"
}
