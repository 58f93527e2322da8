package expression

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"csmail/pkg/hint"
)

// QueueReads lists the parts of queued events that an expression reads.
type QueueReads struct {
	Queue bool // anything
	Times bool // their times
	Hub   bool // enumerated fields that the hub's parsers set
	More  bool // more than times and enumerated fields
}

// QueueReads returns the parts of queued events that the expression reads.
func (x *Expression) QueueReads() QueueReads {
	reads := &queueReads{}
	ast.Walk(&x.tree, reads)
	return reads.QueueReads
}

type queueReads struct{ QueueReads }

// Visit allows, of members, only those that a compact fact answers.
func (q *queueReads) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		q.Queue = q.Queue || n.Value == "queue"
	case *ast.CallNode:
		if _, ok := n.Callee.(*ast.MemberNode); ok {
			q.More = true
		}
	case *ast.MemberNode:
		q.More = q.More || !isCompact(n)
		if name, ok := n.Property.(*ast.StringNode); ok {
			q.Times = q.Times || name.Value == "Time"
			q.Hub = q.Hub || metaFields[name.Value] >= fieldLogType && metaFields[name.Value] <= fieldPregreet
		}
	}
}

// isCompact reports whether the Facts of a queued event suffice for a member: an index
// into the queue, or an enumerated field.
func isCompact(n *ast.MemberNode) bool {
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		_, number := n.Property.(*ast.IntegerNode)
		_, negative := n.Property.(*ast.UnaryNode)
		return number || negative
	}
	if table, ok := n.Node.(*ast.MemberNode); ok {
		if which, ok := table.Property.(*ast.StringNode); ok && which.Value == "Meta" {
			return metaFields[name.Value].isEnumerated()
		}
	}
	if _, ok := fieldOf(n); ok {
		return true // of the current event, not of the queue
	}
	return slices.Contains([]string{"Queue", "L", "Time", "Meta", "Total_count", "First_ts", "Last_ts", "Ovflw_ts"}, name.Value)
}

// ReadsShape reports whether the expression reads a value that follows from the Shape of
// the current event: a field of the hub's parsers.
func (x *Expression) ReadsShape() bool {
	return x.opaque || slices.ContainsFunc(x.fields, func(f Field) bool {
		return f >= fieldLogType && f <= fieldPregreet || f == fieldTargetUser || f == fieldHubUser || f == fieldLoginMessage
	})
}

// UnknownFields names each evt.Meta.NAME and evt.Parsed.NAME that the expression reads
// and csmail never sets, with the most similar known name. A name that is read twice is
// listed twice.
func (x *Expression) UnknownFields() []string {
	unknown := &unknownFields{}
	ast.Walk(&x.tree, unknown)
	return unknown.names
}

type unknownFields struct{ names []string }

// Visit collects evt.Meta.NAME and evt.Parsed.NAME that csmail never sets.
func (u *unknownFields) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.MemberNode)
	if !ok {
		return
	}
	f, ok := fieldOf(n)
	if !ok || f != NoField {
		return
	}
	name := n.Property.(*ast.StringNode).Value
	table, names := "Meta", metaFields
	if n.Node.(*ast.MemberNode).Property.(*ast.StringNode).Value == "Parsed" {
		table, names = "Parsed", parsedFields
	}
	known := make([]string, 0, len(names))
	for k := range names {
		known = append(known, k)
	}
	slices.Sort(known)
	u.names = append(u.names, fmt.Sprintf("evt.%s.%s%s", table, name, hint.DidYouMean(name, known)))
}
