package setup

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"csmail/pkg/hint"
)

// localFile are keys of csmail.yaml.local that setup sets. What stands in the
// file already is the administrator's and stays, comments and order included.
type localFile struct{ values []localValue }

type localValue struct{ section, key, value string }

func (l *localFile) set(section, key, value string) {
	l.values = append(l.values, localValue{section, key, value})
}

func (l localFile) isEmpty() bool { return len(l.values) == 0 }

// hasSecret reports whether the file is to hold a key that no screen may show.
func (l localFile) hasSecret() bool {
	return slices.ContainsFunc(l.values, func(v localValue) bool { return v.key == "registration_token" })
}

// keys names what is set.
func (l localFile) keys() string {
	var names []string
	for _, v := range l.values {
		names = append(names, v.section+"."+v.key)
	}
	return strings.Join(names, ", ")
}

// mergedInto returns the file with the keys added. A key that is there keeps its
// value.
func (l localFile) mergedInto(text []byte) (string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return "", hint.Wrap(fmt.Errorf("reading %s: %w", LocalPath, err), "csmail run -t shows the line")
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	if len(document.Content) > 0 && document.Content[0].Kind == yaml.MappingNode {
		root = document.Content[0]
	} else {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{root}, HeadComment: "# Laid over csmail.yaml; csmail setup began this file, and you may change it."}
	}
	for _, v := range l.values {
		section := child(root, v.section)
		if section.Kind != yaml.MappingNode {
			*section = yaml.Node{Kind: yaml.MappingNode}
		}
		entry := child(section, v.key)
		if entry.Value == "" {
			*entry = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v.value}
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return "", fmt.Errorf("writing %s: %w", LocalPath, err)
	}
	return out.String(), nil
}

// child returns the value of a key, which is made if it is missing.
func child(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	value := &yaml.Node{Kind: yaml.ScalarNode}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	return value
}
