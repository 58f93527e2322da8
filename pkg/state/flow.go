package state

import (
	"csmail/pkg/event"
)

// recordFlow writes or reads what a Record reports about the way of a mail.
func (c *codec) recordFlow(r *event.Record) {
	has := r.Flow != nil
	c.bool(&has)
	if !has || c.err != nil {
		return
	}
	if c.reading {
		r.Flow = new(event.Flow)
	}
	c.flow(r.Flow)
}

// The bits of a flow's set.
const (
	flowSender = 1 << iota
	flowLocal
	flowFilter
	flowProxied
	flowCounts
	flowBits
)

func (c *codec) flow(f *event.Flow) {
	kind, action, level := uint8(f.Kind), uint8(f.Action), uint8(f.Level)
	set := flowSet(f)
	c.byte(&kind)
	c.byte(&set)
	c.int(&f.Repeat)
	for _, text := range [...]*string{
		&f.Daemon, &f.Service, &f.QueueID, &f.Client, &f.User, &f.Sender, &f.Recipient, &f.Original, &f.ID, &f.Relay, &f.Status, &f.Text, &f.Stage, &f.Version,
	} {
		c.string(text)
	}
	c.addr(&f.Addr)
	c.int64(&f.Size)
	c.duration(&f.Delay)
	c.byte(&action)
	c.byte(&level)
	c.int(&f.AuthOK)
	c.int(&f.AuthTotal)
	if kind > uint8(event.FlowMaster) || action > uint8(event.DiscardMail) || level > uint8(event.Panic) || set >= flowBits {
		c.fail("flow %d, action %d, level %d, set %d", kind, action, level, set)
		return
	}
	f.Kind, f.Action, f.Level = event.FlowKind(kind), event.Action(action), event.Level(level)
	f.HasSender, f.Local, f.Filter = set&flowSender != 0, set&flowLocal != 0, set&flowFilter != 0
	f.Proxied, f.HasCounts = set&flowProxied != 0, set&flowCounts != 0
}

func flowSet(f *event.Flow) (set uint8) {
	for _, one := range [...]struct {
		is  bool
		bit uint8
	}{{f.HasSender, flowSender}, {f.Local, flowLocal}, {f.Filter, flowFilter}, {f.Proxied, flowProxied}, {f.HasCounts, flowCounts}} {
		if one.is {
			set |= one.bit
		}
	}
	return set
}
