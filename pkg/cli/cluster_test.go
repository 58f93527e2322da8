package cli

import (
	"errors"
	"strings"
	"testing"

	"csmail/pkg/check"
)

// The answers are of nats-server 2.15.2, shortened.
func TestServerSyncs(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         bool
		err          error
	}{
		{"always", `{"server_id":"NDAZ","jetstream":{"config":{"max_memory":67108864,"sync_always":true}}}`, true, nil},
		{"each two minutes", `{"server_id":"NDAZ","jetstream":{"config":{"max_memory":67108864,"sync_interval":120000000000}}}`, false, nil},
		{"no stream", `{"server_id":"NDAZ","jetstream":{}}`, false, check.ErrNoMonitor},
		{"another program", `{"status":"ok"}`, false, check.ErrNoMonitor},
		{"a page", `<html>`, false, check.ErrNoMonitor},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := syncsOf(strings.NewReader(c.answer)); got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v; want %v, %v", got, err, c.want, c.err)
			}
		})
	}
}
