package ingest

import (
	"fmt"

	"csmail/pkg/config"
	"csmail/pkg/hint"
	"csmail/pkg/logline"
)

// ReadingOf returns how the lines of a source are read, nil if it asks for nothing
// unusual.
func ReadingOf(s config.Source) (*logline.Reading, error) {
	if s.Envelope != "" && s.Envelope != "docker" {
		return nil, hint.Wrap(fmt.Errorf("envelope %q: must be docker, or left out", s.Envelope), "docs/inputs.md says which lines it is for")
	}
	if s.Envelope == "" && len(s.Trusted) == 0 {
		return nil, nil
	}
	r := &logline.Reading{Envelope: s.Envelope != ""}
	for _, text := range s.Trusted {
		m, err := logline.ParseMatch(text)
		if err != nil {
			return nil, hint.Wrap(fmt.Errorf("trusted: %w", err), "write it as journalctl takes it, _UID=5000 or _SYSTEMD_UNIT=mail.service; docs/inputs.md says who is believed anyway")
		}
		r.Trusted = append(r.Trusted, m)
	}
	return r, nil
}
