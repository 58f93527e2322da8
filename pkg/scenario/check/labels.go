package check

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// behaviors are those of the hub's taxonomy (taxonomy/behaviors.json of
// crowdsecurity/hub). The hub's linter ignores a behavior that is not among them.
var behaviors = []string{
	"database:bruteforce", "ftp:bruteforce", "generic:bruteforce", "generic:exploit", "generic:scan", "http:bruteforce", "http:crawl",
	"http:dos", "http:exploit", "http:scan", "http:spam", "iot:bruteforce", "linux:post-exploitation", "pop3/imap:bruteforce",
	"sip:bruteforce", "smb:bruteforce", "smtp:spam", "ssh:bruteforce", "tcp:scan", "telnet:bruteforce", "vm-management:exploit",
	"windows:bruteforce",
}

// classifications are the forms that the hub's taxonomy accepts
// (src/cshub/scenario_taxonomy.py): a technique of MITRE ATT&CK, a CVE, a CWE.
var classifications = regexp.MustCompile(`^(?:attack\.T\d{4}(?:\.\d{3})?|cve\.CVE-\d{4}-\d{4,}|cwe\.CWE-\d+)$`)

func (f *file) labels(node *yaml.Node) {
	labels := keys(node)
	for _, name := range [...]string{"service", "label"} {
		if value := labels[name]; value == nil || strings.TrimSpace(value.Value) == "" {
			f.say(lineOf(value, node), "labels.%s: a text is needed", name)
		}
	}
	f.behavior(labels["behavior"], node)
	f.level("confidence", labels["confidence"], node)
	f.level("spoofable", labels["spoofable"], node)
	f.classification(labels["classification"], node)
	if value := labels["remediation"]; value == nil || value.Tag != "!!bool" {
		f.say(lineOf(value, node), "labels.remediation: true or false is needed")
	}
}

func lineOf(value, otherwise *yaml.Node) int {
	if value == nil {
		return otherwise.Line
	}
	return value.Line
}

func (f *file) behavior(value, labels *yaml.Node) {
	switch {
	case value == nil || value.Value == "":
		f.say(lineOf(value, labels), "labels.behavior: one of the hub's taxonomy is needed, for mail pop3/imap:bruteforce or smtp:spam")
	case !slices.Contains(behaviors, value.Value):
		f.say(value.Line, "labels.behavior: %q is not in the hub's taxonomy; it has %s", value.Value, strings.Join(likely(value.Value), ", "))
	}
}

// likely are the behaviors of the same service or of the same deed, or else all.
func likely(value string) []string {
	service, deed, _ := strings.Cut(value, ":")
	var near []string
	for _, known := range behaviors {
		knownService, knownDeed, _ := strings.Cut(known, ":")
		if knownService == service || knownDeed == deed {
			near = append(near, known)
		}
	}
	if len(near) == 0 {
		return behaviors
	}
	return near
}

func (f *file) level(name string, value, labels *yaml.Node) {
	if value == nil {
		f.say(labels.Line, "labels.%s: a number from 0 to 3 is needed", name)
		return
	}
	n, err := strconv.Atoi(value.Value)
	if value.Tag != "!!int" || err != nil || n < 0 || n > 3 {
		f.say(value.Line, "labels.%s: %q is no number from 0 to 3", name, value.Value)
	}
}

func (f *file) classification(value, labels *yaml.Node) {
	if value == nil || value.Kind != yaml.SequenceNode || len(value.Content) == 0 {
		f.say(lineOf(value, labels), "labels.classification: a list is needed, like [attack.T1110]")
		return
	}
	for _, item := range value.Content {
		if !classifications.MatchString(item.Value) {
			f.say(item.Line, "labels.classification: %q is none of attack.T1110, attack.T1110.003, cve.CVE-2021-44228, cwe.CWE-307", item.Value)
		}
	}
}
