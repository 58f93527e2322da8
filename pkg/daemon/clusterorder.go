package daemon

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/control"
	"csmail/pkg/event"
)

// order is a person's command to all judges. It takes effect where it stands in the
// stream, so that they stay the same.
type order struct {
	Unban netip.Prefix `json:"unban,omitzero"`
	Until time.Time    `json:"until,omitzero"`

	List control.List `json:"list,omitempty"`
	Move control.Move `json:"move,omitempty"`
	IDs  []string     `json:"ids,omitempty"`
	At   time.Time    `json:"at,omitzero"`

	Distrust string `json:"distrust,omitempty"` // an edge

	Judge string `json:"judge,omitempty"` // has these rules:
	Rules string `json:"rules,omitempty"`
}

// DistrustEdge orders all judges to distrust an edge, with the key of a judge.
func DistrustEdge(ctx context.Context, o cluster.Options, edge string) error {
	text, err := json.Marshal(order{Distrust: edge})
	if err != nil {
		return err
	}
	return cluster.Order(ctx, o, text)
}

// distrust has an edge count for nothing, and forgets all by which it can have excused
// somebody. For example, mx7 was broken into, and reported a login of 203.0.113.9: the
// login is forgotten, and so is that the address may be one of mx7's own.
func (j *judgePart) distrust(d *Daemon, edge string) {
	first := j.merger.Origin(edge)
	j.merger.Distrust(edge)
	delete(j.own, edge)
	d.engine.Guard().Distrust(event.EdgeOf(first), j.origins.all(edge, first))
	j.applyOwn(d.engine)
	d.log.Warn("an edge is distrusted: what it reported excuses nobody any more", "edge", edge)
}

// obey carries out a person's command.
func (j *judgePart) obey(d *Daemon, m cluster.Message) {
	var o order
	if err := json.Unmarshal(m.Data, &o); err != nil {
		d.log.Warn("an order in the stream cannot be read", "error", err)
		return
	}
	if o.Judge != "" {
		j.hear(d, o.Judge, o.Rules)
		return
	}
	if o.Distrust != "" {
		j.distrust(d, o.Distrust)
	}
	lists := answers{d}
	if o.Unban.IsValid() {
		d.engine.Unban(o.Unban, o.Until)
		if _, err := lists.dropWaiting(o.Unban, o.Until.Add(-amnesty)); err != nil {
			d.log.Error("dropping alerts on what was forgiven", "error", err)
		}
		d.enforcer.pollSoon()
		d.log.Info("forgiven by a person", "network", o.Unban.String(), "until", o.Until.Format(time.RFC3339))
	}
	if len(o.IDs) > 0 {
		if _, err := lists.move(o.List, o.IDs, o.Move, o.At); err != nil {
			d.log.Debug("an order in the stream", "error", err) // it is done already, as after a restart
		}
		d.sender.Wake()
	}
}
