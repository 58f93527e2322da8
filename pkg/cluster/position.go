package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"csmail/pkg/merge"
)

// The headers of messages. The first two are the server's (nats-server,
// server/stream.go).
const (
	headerExpect   = "Nats-Expected-Last-Subject-Sequence"
	headerSequence = "Nats-Sequence"
	headerAt       = "Cs-At" // of a batch: the position after its last fact
)

// formatAt puts a position into a header.
func formatAt(p merge.Position) string {
	return strconv.FormatUint(p.Epoch, 16) + "/" + strconv.FormatUint(p.Next, 10)
}

func parseAt(text string) (p merge.Position, err error) {
	epoch, next, ok := strings.Cut(text, "/")
	if !ok {
		return p, fmt.Errorf("%q is no position", text)
	}
	if p.Epoch, err = strconv.ParseUint(epoch, 16, 64); err != nil {
		return p, err
	}
	p.Next, err = strconv.ParseUint(next, 10, 64)
	return p, err
}

// stored is the newest message of a subject.
type stored struct {
	sequence uint64 // 0: there is none
	header   nats.Header
	data     []byte
}

var errNoStream = errors.New("the cluster has no stream")

// newest asks for the newest message of a subject in a stream (nats-server,
// server/jetstream_api.go, JSDirectGetLastBySubject). Any replica may answer, so it can be
// a little out of date.
func (c *Conn) newest(ctx context.Context, stream, subject string) (stored, error) {
	m, err := c.request(ctx, nats.NewMsg("$JS.API.DIRECT.GET."+stream+"."+subject))
	if errors.Is(err, nats.ErrNoResponders) {
		return stored{}, fmt.Errorf("%w %s: %w", errNoStream, stream, err)
	}
	if err != nil {
		return stored{}, err
	}
	switch status := m.Header.Get("Status"); status {
	case "":
	case "404":
		return stored{}, nil
	default:
		return stored{}, fmt.Errorf("the cluster's server: %s %s", status, m.Header.Get("Description"))
	}
	sequence, err := strconv.ParseUint(m.Header.Get(headerSequence), 10, 64)
	if err != nil {
		return stored{}, fmt.Errorf("the cluster's server: sequence %q", m.Header.Get(headerSequence))
	}
	return stored{sequence, m.Header, m.Data}, nil
}
