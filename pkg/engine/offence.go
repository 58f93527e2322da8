package engine

// IsOffence is true for what can count against a client at all: an event with an
// address, of a class that says something about the client.
func (r Result) IsOffence() bool { return r.Record != nil && isOffence(r.Record) }
