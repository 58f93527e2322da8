package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"csmail/pkg/hint"
)

// spec is one document of a scenario file, with the keys of CrowdSec's
// BucketSpec (pkg/leakybucket/manager_load.go, v1.7.8).
type spec struct {
	Type           string   `yaml:"type"`
	Name           string   `yaml:"name"`
	Description    string   `yaml:"description"`
	Format         string   `yaml:"format"`
	Version        string   `yaml:"version"`
	Author         string   `yaml:"author"`
	References     []string `yaml:"references"`
	Debug          bool     `yaml:"debug"`
	Reprocess      bool     `yaml:"reprocess"`
	Filter         string   `yaml:"filter"`
	GroupBy        string   `yaml:"groupby"`
	Distinct       string   `yaml:"distinct"`
	Capacity       int      `yaml:"capacity"`
	LeakSpeed      string   `yaml:"leakspeed"`
	Duration       string   `yaml:"duration"`
	Blackhole      string   `yaml:"blackhole"`
	CancelOn       string   `yaml:"cancel_on"`
	OverflowFilter string   `yaml:"overflow_filter"`
	Condition      string   `yaml:"condition"`
	CacheSize      int      `yaml:"cache_size"`
	Scope          struct {
		Type       string `yaml:"type"`
		Expression string `yaml:"expression"`
	} `yaml:"scope"`
	Labels             map[string]any `yaml:"labels"`
	Data               []dataSpec     `yaml:"data"`
	BayesianPrior      float32        `yaml:"bayesian_prior"`
	BayesianThreshold  float32        `yaml:"bayesian_threshold"`
	BayesianConditions []bayesSpec    `yaml:"bayesian_conditions"`
}

type dataSpec struct {
	SourceURL string         `yaml:"source_url"`
	DestFile  string         `yaml:"dest_file"`
	Type      string         `yaml:"type"`
	Strategy  string         `yaml:"strategy"`
	Size      int            `yaml:"size"`
	TTL       *time.Duration `yaml:"ttl"`
	Cache     *bool          `yaml:"cache"`
}

type bayesSpec struct {
	Condition       string  `yaml:"condition"`
	ProbGivenEvil   float32 `yaml:"prob_given_evil"`
	ProbGivenBenign float32 `yaml:"prob_given_benign"`
	Guillotine      bool    `yaml:"guillotine"`
}

// keys are the keys that a document may have, and those of its sections.
var keys = map[string][]string{
	"": {
		"type", "name", "description", "format", "version", "author", "references", "debug", "reprocess", "filter", "groupby",
		"distinct", "capacity", "leakspeed", "duration", "blackhole", "cancel_on", "overflow_filter", "condition", "cache_size",
		"scope", "labels", "data", "bayesian_prior", "bayesian_threshold", "bayesian_conditions",
	},
	"scope":               {"type", "expression"},
	"data":                {"source_url", "dest_file", "type", "strategy", "size", "ttl", "cache"},
	"bayesian_conditions": {"condition", "prob_given_evil", "prob_given_benign", "guillotine"},
}

// Problem is a fault in a scenario file, with its place.
type Problem struct {
	File string
	Line int    // 1-based, 0 if unknown
	Key  string // of the document, "" if the fault is not in a key
	Err  error
}

// Error returns "FILE:LINE: KEY: CAUSE", without the parts that are unknown.
func (p *Problem) Error() string {
	var where strings.Builder
	where.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&where, ":%d", p.Line)
	}
	if p.Key != "" {
		fmt.Fprintf(&where, ": %s", p.Key)
	}
	return fmt.Sprintf("%s: %v", where.String(), p.Err)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// document is one document of a file, with the lines of its keys.
type document struct {
	spec
	file  string
	line  int
	lines map[string]int
}

// problem returns a fault with the line of the key, or with the document's first line if
// the key is not in the file.
func (d *document) problem(key string, err error) error {
	line, ok := d.lines[key]
	if !ok {
		line = d.line
	}
	return &Problem{File: d.file, Line: line, Key: key, Err: err}
}

// hashOf identifies the parts of a document that decide: after a change of these the
// scenario starts with empty buckets. A change of text or labels keeps them.
func hashOf(d *document) uint64 {
	decides := d.spec
	decides.Description, decides.References, decides.Labels, decides.Debug, decides.Version, decides.Author = "", nil, nil, false, "", ""
	text, err := yaml.Marshal(decides)
	if err != nil {
		text = []byte(d.Name)
	}
	h := fnv.New64a()
	_, _ = h.Write(text)
	return h.Sum64()
}

// readDocuments reads every document of a file. An empty document is left out.
func readDocuments(file string, text []byte) ([]*document, error) {
	var documents []*document
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	_, atEnd := new(bytes.Reader).ReadByte() // io.EOF
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, atEnd) {
			return documents, nil
		}
		if err != nil {
			return nil, yamlProblem(file, err)
		}
		if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue
		}
		d, err := readDocument(file, node.Content[0])
		if err != nil {
			return nil, err
		}
		documents = append(documents, d)
	}
}

// readDocument decodes one YAML document and notes the line of each key.
func readDocument(file string, node *yaml.Node) (*document, error) {
	d := &document{file: file, line: node.Line, lines: map[string]int{}}
	if node.Kind != yaml.MappingNode {
		return nil, &Problem{File: file, Line: node.Line, Err: fmt.Errorf("a scenario is a mapping of keys, not %q", node.Value)}
	}
	if err := checkKeys(file, "", node); err != nil {
		return nil, err
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		d.lines[key.Value] = key.Line
		single := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{key, value}}
		if err := single.Decode(&d.spec); err != nil {
			return nil, &Problem{File: file, Line: value.Line, Key: key.Value, Err: typeError(err)}
		}
	}
	return d, nil
}

// checkKeys refuses unknown and repeated keys of the mapping and its sections.
func checkKeys(file, section string, node *yaml.Node) error {
	known := keys[section]
	if node.Kind == yaml.SequenceNode {
		for _, item := range node.Content {
			if err := checkKeys(file, section, item); err != nil {
				return err
			}
		}
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	var seen []string
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case slices.Contains(seen, key.Value):
			return &Problem{File: file, Line: key.Line, Key: section, Err: fmt.Errorf("the key %q stands here twice", key.Value)}
		case !slices.Contains(known, key.Value):
			return &Problem{File: file, Line: key.Line, Key: section, Err: fmt.Errorf("unknown key %q%s", key.Value, hint.DidYouMean(key.Value, known))}
		}
		seen = append(seen, key.Value)
		if _, nested := keys[key.Value]; nested && section == "" {
			if err := checkKeys(file, key.Value, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// yamlProblem says what is wrong in plain words, with the line apart.
func yamlProblem(file string, err error) error {
	plain := hint.YAML(err)
	text := plain.Error()
	line := 0
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, what, _ := strings.Cut(rest, ": ")
		if _, err := fmt.Sscanf(number, "%d", &line); err == nil {
			text = what
		}
	}
	return &Problem{File: file, Line: line, Err: hint.Wrap(fmt.Errorf("no valid YAML: %s", text), "%s", hint.Of(plain))}
}

// typeError words yaml's complaint about a value of the wrong type.
func typeError(err error) error {
	wrong, ok := errors.AsType[*yaml.TypeError](err)
	if !ok || len(wrong.Errors) == 0 {
		return err
	}
	_, text, ok := strings.Cut(wrong.Errors[0], ": ")
	if !ok {
		text = wrong.Errors[0]
	}
	return errors.New(text)
}
