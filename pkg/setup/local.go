package setup

import (
	"bytes"
	"fmt"

	"gopkg.in/yaml.v3"

	"csmail/pkg/hint"
)

// localFile is csmail.yaml.local; setup adds keys to it. The rest of the file belongs
// to the administrator and stays, including comments and order.
type localFile struct {
	before   string
	isThere  bool
	document yaml.Node
	added    []string // the keys that set added: lapi.url
	secret   bool     // one of them is not to be shown
}

const localHead = "# Laid over csmail.yaml; csmail setup began this file, and you may change it."

// readLocal reads the file's text; isThere is false for a file that is not there.
func readLocal(text []byte, isThere bool) (localFile, error) {
	l := localFile{before: string(text), isThere: isThere}
	if err := yaml.Unmarshal(text, &l.document); err != nil {
		return l, fmt.Errorf("reading %s: %w", LocalPath, hint.YAML(err))
	}
	if len(l.document.Content) > 0 && l.document.Content[0].Kind == yaml.MappingNode {
		return l, nil
	}
	// A file of comments has no document; they are kept above the keys.
	head := localHead
	if isThere {
		head = string(bytes.TrimSpace(text))
	}
	l.document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}, HeadComment: head}
	return l, nil
}

// has reports whether the file sets a key.
func (l *localFile) has(section, key string) bool {
	node := find(find(l.root(), section), key)
	return node != nil && node.Value != ""
}

// set adds a key. One that is there keeps its value.
func (l *localFile) set(section, key, value string) {
	if l.has(section, key) {
		return
	}
	parent := makeChild(l.root(), section)
	if parent.Kind != yaml.MappingNode {
		*parent = yaml.Node{Kind: yaml.MappingNode}
	}
	*makeChild(parent, key) = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	l.added = append(l.added, section+"."+key)
}

func (l *localFile) isChanged() bool { return len(l.added) > 0 }

func (l *localFile) root() *yaml.Node {
	if len(l.document.Content) == 0 {
		return nil
	}
	return l.document.Content[0]
}

// text is the file with the keys added.
func (l *localFile) text() (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&l.document); err != nil {
		return "", fmt.Errorf("writing %s: %w", LocalPath, err)
	}
	return out.String(), nil
}

// find returns the value of a key, or nil.
func find(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// makeChild returns the value of a key, a new one if it is missing.
func makeChild(mapping *yaml.Node, key string) *yaml.Node {
	if value := find(mapping, key); value != nil {
		return value
	}
	value := &yaml.Node{Kind: yaml.ScalarNode}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	return value
}
