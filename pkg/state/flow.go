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

// flowRecord writes or reads a record of which only the report makes something: the time,
// host and process of the line, and what it says about the way of a mail. Most lines of a
// busy server are such, so of its texts only those that are not empty are written.
func (c *codec) flowRecord(r *event.Record) {
	if c.reading {
		r.Flow = new(event.Flow)
	}
	c.time(&r.Time)
	c.string(&r.Host)
	c.int(&r.PID)
	f := r.Flow
	kind, action, level, set := uint8(f.Kind), uint8(f.Action), uint8(f.Level), flowSet(f)
	c.byte(&kind)
	c.byte(&set)
	texts := flowTexts(f)
	var has uint64
	for i, text := range texts {
		if *text != "" {
			has |= 1 << i
		}
	}
	numbers := f.Repeat > 1 || f.Size != 0 || f.Delay != 0 || f.AuthOK != 0 || f.AuthTotal != 0 || action != 0 || level != 0
	if numbers {
		has |= 1 << len(texts)
	}
	if f.Addr.IsValid() {
		has |= 2 << len(texts)
	}
	c.uint(&has)
	if has >= 4<<len(texts) {
		c.fail("texts %b", has)
		return
	}
	for i, text := range texts {
		if has&(1<<i) != 0 {
			c.string(text)
		}
	}
	f.Repeat = max(f.Repeat, 1)
	if has&(1<<len(texts)) != 0 {
		c.int(&f.Repeat)
		c.int64(&f.Size)
		c.duration(&f.Delay)
		c.byte(&action)
		c.byte(&level)
		c.int(&f.AuthOK)
		c.int(&f.AuthTotal)
	}
	if has&(2<<len(texts)) != 0 {
		c.addr(&f.Addr)
	}
	c.setFlow(f, kind, action, level, set)
}

// flowTexts lists the texts of a flow in the order in which they are written.
func flowTexts(f *event.Flow) [14]*string {
	return [...]*string{
		&f.Daemon, &f.Service, &f.QueueID, &f.Client, &f.User, &f.Sender, &f.Recipient, &f.Original, &f.ID, &f.Relay, &f.Status, &f.Text, &f.Stage, &f.Version,
	}
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
	for _, text := range flowTexts(f) {
		c.string(text)
	}
	c.addr(&f.Addr)
	c.int64(&f.Size)
	c.duration(&f.Delay)
	c.byte(&action)
	c.byte(&level)
	c.int(&f.AuthOK)
	c.int(&f.AuthTotal)
	c.setFlow(f, kind, action, level, set)
}

// setFlow checks and sets what was read as numbers.
func (c *codec) setFlow(f *event.Flow, kind, action, level, set uint8) {
	if kind > uint8(event.FlowMaster) || action > uint8(event.DiscardMail) || level > uint8(event.Panic) || set >= flowBits {
		c.fail("flow %d, action %d, level %d, set %d", kind, action, level, set)
		return
	}
	f.Kind, f.Action, f.Level = event.FlowKind(kind), event.Action(action), event.Level(level)
	f.HasSender, f.Local, f.Filter = set&flowSender != 0, set&flowLocal != 0, set&flowFilter != 0
	f.Proxied, f.HasCounts = set&flowProxied != 0, set&flowCounts != 0
}

// flowSet packs the flags of a flow.
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
