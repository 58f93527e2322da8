package bucket

import (
	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// current is the event that is being poured: which scenarios take it, which groups it
// belongs to, and what their expressions make of it.
type current struct {
	memory
	takers  [][]*scenario.Scenario // by kind, service and shape; nil: not asked yet
	key     event.HashKey          // under which texts of clients are hashed
	in      expression.Input
	record  *event.Record // of the event; nil if it was poured alone
	at      int64
	number  uint32    // in the ring; 0: it is not there yet
	known   [3]uint32 // groups by the network that is their key
	machine expression.Machine
	nobody  event.Event // no event is at hand but the time
}

// begin makes an event the current one.
func (c *current) begin(ev *event.Event) {
	c.in = expression.Input{Event: ev}
	if c.set.NeedsShapes() {
		c.in.Shape = expression.ShapeOf(ev)
	}
	c.at = nanoseconds(ev.Time)
	c.number, c.known = 0, [3]uint32{}
}

// takersOf returns the scenarios whose filters may take the event at hand, as far
// as kind, service and shape decide.
func (c *current) takersOf() []*scenario.Scenario {
	at := (int(c.in.Event.Kind)*event.ServiceCount+int(c.in.Event.Service))*int(expression.Shapes) + int(c.in.Shape)
	if at >= len(c.takers) {
		return nil
	}
	if takers := c.takers[at]; takers != nil {
		return takers
	}
	takers := []*scenario.Scenario{}
	m := expression.Machine{In: &expression.Input{Event: &event.Event{}}}
	for _, s := range c.set.Scenarios() {
		if s.MayTake(&m, c.in.Event.Kind, c.in.Event.Service, c.in.Shape) {
			takers = append(takers, s)
		}
	}
	c.takers[at] = takers
	return takers
}

func (c *current) passes(conditions []*expression.Expression) bool {
	for _, x := range conditions {
		if !c.machine.IsTrue(x) {
			return false
		}
	}
	return true
}
