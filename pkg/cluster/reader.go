package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// reader reads the stream through a consumer, a place of reading that the server keeps. It
// asks for some messages at a time. On any doubt it fails, and another reader begins at the
// message after the last one: the server forgets a consumer that nobody asks.
type reader struct {
	conn *Conn
	ask  string // the subject of the question for more
	sub  *nats.Subscription
	come chan *nats.Msg
	left int    // messages that were asked for and have not come
	last uint64 // number of the newest message, as the consumer counts
}

const (
	readMessages  = 500
	readBytes     = 8 << 20
	readFor       = 30 * time.Second
	readHeartbeat = 2 * time.Second // of the server, while it has nothing
	readSilence   = 3 * readHeartbeat
	forgottenIn   = time.Minute
)

// readFrom returns a reader of the messages from a sequence on. The caller closes it.
func (c *Conn) readFrom(ctx context.Context, stream string, sequence uint64) (*reader, error) {
	inbox := c.nc.NewInbox()
	name := "csmail-" + inbox[strings.LastIndexByte(inbox, '.')+1:]
	// nats-server 2.12, server/consumer.go, ConsumerConfig
	type config struct {
		Name     string        `json:"name"`
		Policy   string        `json:"deliver_policy"`
		Start    uint64        `json:"opt_start_seq"`
		Ack      string        `json:"ack_policy"`
		Replay   string        `json:"replay_policy"`
		Inactive time.Duration `json:"inactive_threshold"`
		Replicas int           `json:"num_replicas"`
		InMemory bool          `json:"mem_storage"`
	}
	question := struct {
		Stream string `json:"stream_name"`
		Config config `json:"config"`
		Action string `json:"action"`
	}{stream, config{name, "by_start_sequence", sequence, "none", "instant", forgottenIn, 1, true}, "create"}
	if err := c.api(ctx, "CONSUMER.CREATE."+stream+"."+name, question, nil); err != nil {
		return nil, err
	}
	// Not SubscribeSync, which takes an empty message with the header "Status: 503", as any
	// edge can send it, for an error of the server. What does not fit is a gap, see next.
	come := make(chan *nats.Msg, 2*readMessages)
	sub, err := c.nc.ChanSubscribe(inbox, come)
	if err != nil {
		return nil, err
	}
	return &reader{conn: c, ask: "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + name, sub: sub, come: come}, nil
}

func (r *reader) close() { _ = r.sub.Unsubscribe() } // it fails if the connection is closed

var errSilent = errors.New("the cluster's server is silent")

// next returns the next message.
func (r *reader) next(ctx context.Context) (*nats.Msg, *nats.MsgMetadata, error) {
	for {
		m, err := r.receive(ctx)
		if err != nil {
			return nil, nil, err
		}
		if !strings.HasPrefix(m.Subject, subjects) { // only the server can send to the inbox itself
			if err := r.hear(m.Header.Get("Status"), m.Header.Get("Description")); err != nil {
				return nil, nil, err
			}
			continue
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, nil, err
		}
		if r.last++; meta.Sequence.Consumer != r.last {
			return nil, nil, fmt.Errorf("message %d of the cluster's stream did not arrive", r.last)
		}
		r.left--
		return m, meta, nil
	}
}

// receive asks for more if all has come, and waits for the next message.
func (r *reader) receive(ctx context.Context) (*nats.Msg, error) {
	if r.left == 0 {
		question := fmt.Sprintf(`{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}`, readMessages, readBytes, readFor, readHeartbeat)
		if err := r.conn.nc.PublishRequest(r.ask, r.sub.Subject, []byte(question)); err != nil {
			return nil, err
		}
		r.left = readMessages
	}
	within, cancel := context.WithTimeoutCause(ctx, readSilence, errSilent)
	defer cancel()
	select {
	case m := <-r.come:
		return m, nil
	case <-within.Done():
		return nil, context.Cause(within)
	}
}

// hear takes the server's word about a question: its heartbeat, or that it will send no more
// in answer (nats-server 2.12, server/consumer.go, processNextMsgRequest and
// getNextWaitingRequest).
func (r *reader) hear(status, description string) error {
	switch {
	case status == "100": // a heartbeat
	case status == "409" && description == "Batch Completed": // after the last message of those that were asked for
	case status == "404", status == "408", status == "409" && strings.Contains(description, "MaxBytes"):
		r.left = 0
	default:
		return fmt.Errorf("the cluster's server: %s %s", status, description)
	}
	return nil
}
