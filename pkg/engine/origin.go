package engine

import (
	"strings"

	"csmail/pkg/event"
)

// origins remembers the origins of the last lines, since lines that are near each
// other have the same host and few programs.
type origins struct {
	host     string
	hostSum  uint64
	programs [8]program
}

// program is a program name with its origin.
type program struct {
	name string
	sum  uint64
}

// of returns the origin of a line by the names of its host and program.
func (o *origins) of(host, name string) event.Origin {
	if o.hostSum == 0 || host != o.host {
		o.host, o.hostSum = strings.Clone(host), event.OriginOf(host, "").Host
	}
	known := &o.programs[len(name)%len(o.programs)]
	if known.sum == 0 || known.name != name {
		known.name, known.sum = strings.Clone(name), event.OriginOf("", name).Program
	}
	return event.Origin{Host: o.hostSum, Program: known.sum}
}
