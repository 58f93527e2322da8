package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// apiError is the server's reason for a refusal.
type apiError struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("the cluster's server: %s (%d)", e.Description, e.Code)
}

// Codes of nats-server 2.12, server/errors.json.
const (
	codeNoStream      = 10059 // JSStreamNotFoundErr
	codeWrongSequence = 10071 // JSStreamWrongLastSequenceErrF: another message of the subject is the newest
)

func isCode(err error, code int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Code == code
}

// api asks the JetStream API of the servers (nats-server 2.12, server/jetstream_api.go). The
// question is sent as JSON, nil for none, and so comes the answer. csmail speaks it itself: it
// needs four questions, and the package for all of them makes the program larger by half a
// megabyte.
func (c *Conn) api(ctx context.Context, subject string, question, answer any) error {
	m := nats.NewMsg("$JS.API." + subject)
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return err
		}
		m.Data = text
	}
	return c.ask(ctx, m, answer)
}

// ask sends a message that the server answers with JSON.
func (c *Conn) ask(ctx context.Context, m *nats.Msg, answer any) error {
	reply, err := c.request(ctx, m)
	if err != nil {
		return err
	}
	var failed struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &failed); err != nil {
		return fmt.Errorf("the cluster's server: %w", err)
	}
	if failed.Error != nil {
		return failed.Error
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(reply.Data, answer); err != nil {
		return fmt.Errorf("the cluster's server: %w", err)
	}
	return nil
}

// publish puts a message into the stream that takes its subject, and returns its sequence
// there.
func (c *Conn) publish(ctx context.Context, m *nats.Msg) (sequence uint64, err error) {
	var ack struct {
		Sequence uint64 `json:"seq"`
	}
	err = c.ask(ctx, m, &ack)
	return ack.Sequence, err
}

// publishAfter publishes a message only if the newest one of its subject has this sequence,
// 0 if there must be none. If not, the error has codeWrongSequence.
func (c *Conn) publishAfter(ctx context.Context, m *nats.Msg, last uint64) (sequence uint64, err error) {
	m.Header.Set(headerExpect, strconv.FormatUint(last, 10))
	return c.publish(ctx, m)
}

// streamConfig is the configuration of a stream (nats-server 2.12, server/stream.go,
// StreamConfig). Durations are in nanoseconds.
type streamConfig struct {
	Name                 string        `json:"name"`
	Description          string        `json:"description"`
	Subjects             []string      `json:"subjects"`
	Retention            string        `json:"retention"`
	Storage              string        `json:"storage"`
	Replicas             int           `json:"num_replicas"`
	Discard              string        `json:"discard"`
	DiscardNewPerSubject bool          `json:"discard_new_per_subject,omitempty"`
	MaxConsumers         int           `json:"max_consumers"`
	MaxMsgs              int64         `json:"max_msgs"`
	MaxBytes             int64         `json:"max_bytes"`
	MaxMsgsPerSubject    int64         `json:"max_msgs_per_subject"`
	MaxMsgSize           int32         `json:"max_msg_size"`
	MaxAge               time.Duration `json:"max_age"`
	Duplicates           time.Duration `json:"duplicate_window,omitempty"`
	AllowRollup          bool          `json:"allow_rollup_hdrs"`
	DenyDelete           bool          `json:"deny_delete"`
	DenyPurge            bool          `json:"deny_purge"`
	AllowDirect          bool          `json:"allow_direct"`
}

// streamInfo is the state of a stream (server/stream.go, StreamInfo).
type streamInfo struct {
	Created time.Time `json:"created"`
	State   struct {
		Messages uint64 `json:"messages"`
		Bytes    uint64 `json:"bytes"`
		LastSeq  uint64 `json:"last_seq"`
	} `json:"state"`
	Cluster *struct {
		Leader   string `json:"leader"`
		Replicas []struct {
			Name    string        `json:"name"`
			Current bool          `json:"current"`
			Offline bool          `json:"offline"`
			Active  time.Duration `json:"active"`
			Lag     uint64        `json:"lag"`
		} `json:"replicas"`
	} `json:"cluster"` // nil: a single server
}

func (c *Conn) streamInfo(ctx context.Context, stream string) (info streamInfo, err error) {
	err = c.api(ctx, "STREAM.INFO."+stream, nil, &info)
	return info, err
}

// makeStream makes a stream, or gives the one that is there this configuration.
func (c *Conn) makeStream(ctx context.Context, s *streamConfig) error {
	err := c.api(ctx, "STREAM.UPDATE."+s.Name, s, nil)
	if isCode(err, codeNoStream) {
		err = c.api(ctx, "STREAM.CREATE."+s.Name, s, nil)
	}
	return err
}

// bucketConfig is a stream that holds the newest message of each key, as clients of NATS keep
// keys and values (nats-architecture-and-design, ADR-8). ttl is how long a value lasts, 0 for
// ever.
func bucketConfig(bucket, description string, ttl time.Duration, replicas int) *streamConfig {
	return &streamConfig{
		Name: bucketStream(bucket), Description: description, Subjects: []string{bucketSubject(bucket, ">")},
		Retention: "limits", Storage: "file", Replicas: replicas, Discard: "new",
		MaxConsumers: -1, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxMsgsPerSubject: 1, MaxAge: ttl, Duplicates: ttl,
		AllowRollup: true, DenyDelete: true, AllowDirect: true,
	}
}

func bucketStream(bucket string) string       { return "KV_" + bucket }
func bucketSubject(bucket, key string) string { return "$KV." + bucket + "." + key }

// value returns the newest value of a key.
func (c *Conn) value(ctx context.Context, bucket, key string) (stored, error) {
	return c.newest(ctx, bucketStream(bucket), bucketSubject(bucket, key))
}

// valueMsg is the message that gives a key a value.
func valueMsg(bucket, key string, value []byte) *nats.Msg {
	m := nats.NewMsg(bucketSubject(bucket, key))
	m.Data = value
	return m
}
