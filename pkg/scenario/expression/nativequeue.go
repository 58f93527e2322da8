package expression

import (
	"github.com/expr-lang/expr/ast"

	"csmail/pkg/event"
)

// queueMatcher is an expression over the events of a bucket's queue that needs no
// virtual machine: any, all, count and len of queue.Queue, with predicates that read
// only enumerated fields, joined by and, or, not.
type queueMatcher func(*heldQueue) bool

// heldQueue is the queue of a bucket, with the facts of its events.
type heldQueue struct {
	facts []Facts

	in Input // room for one of its events
	ev event.Event
}

// count returns how many of the events match.
func (q *heldQueue) count(match matcher) int {
	n := 0
	q.in.Event = &q.ev
	for _, f := range q.facts {
		q.ev.Kind, q.ev.Service, q.in.Shape = f.Kind(), f.Service(), f.Shape()
		if match(&q.in) {
			n++
		}
	}
	return n
}

// ofQueued reads the event that a predicate is about: "#.Meta.NAME" or
// ".Meta.NAME", as far as the facts of a queued event hold it.
var ofQueued = native{func(n *ast.MemberNode) (Field, bool) {
	name, ok := n.Property.(*ast.StringNode)
	table, isMember := n.Node.(*ast.MemberNode)
	if !ok || !isMember {
		return NoField, false
	}
	which, ok := table.Property.(*ast.StringNode)
	pointer, isPointer := table.Node.(*ast.PointerNode)
	f := metaFields[name.Value]
	return f, ok && isPointer && pointer.Name == "" && which.Value == "Meta" && f.isEnumerated()
}}

// nativeQueueMatcher returns nil for an expression that it does not know.
func nativeQueueMatcher(node ast.Node) queueMatcher {
	switch n := node.(type) {
	case *ast.UnaryNode:
		inner := nativeQueueMatcher(n.Node)
		if inner == nil || n.Operator != "!" && n.Operator != "not" {
			return nil
		}
		return func(q *heldQueue) bool { return !inner(q) }
	case *ast.BuiltinNode:
		return nativeQuantifier(n)
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			return nativeQueueJunction(n)
		}
		return nativeComparison(n)
	}
	return nil
}

// nativeQueueJunction translates and and or, if both sides can be translated.
func nativeQueueJunction(n *ast.BinaryNode) queueMatcher {
	left, right := nativeQueueMatcher(n.Left), nativeQueueMatcher(n.Right)
	switch {
	case left == nil || right == nil:
		return nil
	case n.Operator == "and" || n.Operator == "&&":
		return func(q *heldQueue) bool { return left(q) && right(q) }
	}
	return func(q *heldQueue) bool { return left(q) || right(q) }
}

// nativeQuantifier translates any and all over queue.Queue.
func nativeQuantifier(n *ast.BuiltinNode) queueMatcher {
	match := predicateOf(n)
	switch {
	case match == nil:
		return nil
	case n.Name == "any":
		return func(q *heldQueue) bool { return q.count(match) > 0 }
	case n.Name == "all":
		return func(q *heldQueue) bool { return q.count(match) == len(q.facts) }
	}
	return nil
}

// predicateOf returns the predicate of a builtin over queue.Queue.
func predicateOf(n *ast.BuiltinNode) matcher {
	if len(n.Arguments) != 2 || !isQueue(n.Arguments[0]) {
		return nil
	}
	predicate, ok := n.Arguments[1].(*ast.PredicateNode)
	if !ok {
		return nil
	}
	return ofQueued.matcher(predicate.Node)
}

// isQueue reports whether the node is queue.Queue.
func isQueue(node ast.Node) bool {
	n, ok := node.(*ast.MemberNode)
	if !ok || n.Method {
		return false
	}
	root, ok := n.Node.(*ast.IdentifierNode)
	name, isText := n.Property.(*ast.StringNode)
	return ok && isText && root.Value == "queue" && name.Value == "Queue"
}

// nativeComparison translates count(…) and len(queue.Queue) compared with a number.
func nativeComparison(n *ast.BinaryNode) queueMatcher {
	builtin, ok := n.Left.(*ast.BuiltinNode)
	number, isNumber := n.Right.(*ast.IntegerNode)
	compare := comparisons[n.Operator]
	if !ok || !isNumber || compare == nil {
		return nil
	}
	limit := number.Value
	switch {
	case builtin.Name == "len" && len(builtin.Arguments) == 1 && isQueue(builtin.Arguments[0]):
		return func(q *heldQueue) bool { return compare(len(q.facts), limit) }
	case builtin.Name == "count":
		if match := predicateOf(builtin); match != nil {
			return func(q *heldQueue) bool { return compare(q.count(match), limit) }
		}
	}
	return nil
}

var comparisons = map[string]func(a, b int) bool{
	"==": func(a, b int) bool { return a == b },
	"!=": func(a, b int) bool { return a != b },
	"<":  func(a, b int) bool { return a < b },
	"<=": func(a, b int) bool { return a <= b },
	">":  func(a, b int) bool { return a > b },
	">=": func(a, b int) bool { return a >= b },
}
