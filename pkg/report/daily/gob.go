package daily

import (
	"bytes"
	"encoding/gob"
	"fmt"
)

// Older releases stored figures by encoding/gob.

// GobEncode writes the members as a list.
func (s Set[T]) GobEncode() ([]byte, error) {
	list := make([]T, 0, len(s))
	for v := range s {
		list = append(list, v)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(list); err != nil {
		return nil, fmt.Errorf("writing a set: %w", err)
	}
	return b.Bytes(), nil
}

// GobDecode reads the form of GobEncode.
func (s *Set[T]) GobDecode(data []byte) error {
	var list []T
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&list); err != nil {
		return fmt.Errorf("reading a set: %w", err)
	}
	*s = make(Set[T], len(list))
	for _, v := range list {
		s.add(v)
	}
	return nil
}
