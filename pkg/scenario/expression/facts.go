package expression

import "csmail/pkg/event"

// Facts packs the values that decide the enumerated fields of an event: its kind,
// service and shape, and whether it has an address. A bucket keeps this much of an event
// if no expression reads its text. The packing is part of snapshots.
type Facts uint32

// FactsOf returns the Facts of an event.
func FactsOf(in *Input) Facts {
	f := Facts(in.Event.Kind) | Facts(in.Event.Service)<<8 | Facts(in.Shape)<<16
	if in.Event.Addr.IsValid() {
		f |= 1 << 24
	}
	return f
}

// Kind returns the kind of the event.
func (f Facts) Kind() event.Kind { return event.Kind(f) }

// Service returns the service of the event.
func (f Facts) Service() event.Service { return event.Service(f >> 8) }

// Shape returns the shape of the event.
func (f Facts) Shape() Shape { return Shape(f >> 16) }

// HasAddr reports whether the event has an address.
func (f Facts) HasAddr() bool { return f>>24&1 == 1 }

// Meta returns evt.Meta of the event as far as Facts hold it: the enumerated fields,
// empty ones among them. The map is the caller's.
func (f Facts) Meta() map[string]string {
	in, meta := f.input(), map[string]string{}
	for name, field := range metaFields {
		if field.isEnumerated() {
			meta[name] = field.read(in)
		}
	}
	return meta
}

// input returns an event with the enumerated fields alone.
func (f Facts) input() *Input {
	return &Input{Event: &event.Event{Kind: f.Kind(), Service: f.Service()}, Shape: f.Shape()}
}
