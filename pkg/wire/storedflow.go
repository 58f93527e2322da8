package wire

import "csmail/pkg/event"

// Flow takes the Flow of a record, if it has one.
func (c *Stored) Flow(r *event.Record) {
	has := r.Flow != nil
	c.Bools(&has)
	if !has || c.Err != nil {
		return
	}
	if c.Reading {
		r.Flow = new(event.Flow)
	}
	f := r.Flow
	Enum(&c.Codec, &f.Kind, event.FlowMaster)
	c.flags(f)
	c.SignedInts(&f.Repeat)
	for _, text := range flowTexts(f) {
		c.Text(text)
	}
	c.Addr(&f.Addr)
	c.flowNumbers(f)
}

// ShortRecord takes a record that only the report uses: the time, host and process of the
// line, and its Flow. Most lines of a busy
// server are such, so of its texts only those that are not empty are written.
func (c *Stored) ShortRecord(r *event.Record) {
	if c.Reading {
		r.Flow = new(event.Flow)
	}
	c.Stamp(&r.Time)
	c.Text(&r.Host)
	c.SignedInts(&r.PID)
	f := r.Flow
	Enum(&c.Codec, &f.Kind, event.FlowMaster)
	c.flags(f)
	texts := flowTexts(f)
	hasNumbers, hasAddr := uint64(1)<<len(texts), uint64(2)<<len(texts)
	has := c.Number(flowParts(f))
	if has >= hasAddr<<1 {
		c.Failf("texts %b", has)
		return
	}
	for i, text := range texts {
		if has>>i&1 == 1 {
			c.Text(text)
		}
	}
	repeat := max(f.Repeat, 1)
	if has&hasNumbers != 0 {
		c.SignedInts(&repeat)
		c.flowNumbers(f)
	}
	if has&hasAddr != 0 {
		c.Addr(&f.Addr)
	}
	set(&c.Codec, &f.Repeat, repeat)
}

// flowParts returns a bit for each text of a flow that is not empty, then one for its
// numbers and one for its address.
func flowParts(f *event.Flow) (has uint64) {
	texts := flowTexts(f)
	for i, text := range texts {
		has |= flag(*text != "", 1<<i)
	}
	hasNumbers := f.Repeat > 1 || f.Size != 0 || f.Delay != 0 || f.AuthOK != 0 || f.AuthTotal != 0 || f.Action != 0 || f.Level != 0
	return has | flag(hasNumbers, 1<<len(texts)) | flag(f.Addr.IsValid(), 2<<len(texts))
}

// flowNumbers takes the numbers of a flow but Repeat.
func (c *Stored) flowNumbers(f *event.Flow) {
	c.Int64s(&f.Size)
	c.Duration(&f.Delay)
	Enum(&c.Codec, &f.Action, event.DiscardMail)
	Enum(&c.Codec, &f.Level, event.Panic)
	c.SignedInts(&f.AuthOK, &f.AuthTotal)
}

// flowTexts lists the texts of a flow in the order that they are written.
func flowTexts(f *event.Flow) [14]*string {
	return [...]*string{
		&f.Daemon, &f.Service, &f.QueueID, &f.Client, &f.User, &f.Sender, &f.Recipient, &f.Original, &f.ID, &f.Relay, &f.Status, &f.Text, &f.Stage, &f.Version,
	}
}

// flags takes the flags of a flow as one number.
func (c *Stored) flags(f *event.Flow) {
	all := [...]*bool{&f.HasSender, &f.Local, &f.Filter, &f.Proxied, &f.HasCounts}
	bits := uint64(0)
	for i, one := range all {
		bits |= flag(*one, 1<<i)
	}
	if bits = c.Number(bits); bits >= 1<<len(all) {
		c.Failf("flags %b", bits)
		return
	}
	for i, one := range all {
		set(&c.Codec, one, bits>>i&1 == 1)
	}
}
