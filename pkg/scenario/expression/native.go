package expression

import (
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// matcher and reader are the parts of an expression that need no virtual
// machine: comparisons of fields with constants, joined by and, or, not.
type (
	matcher  func(*Input) bool
	reader   func(*Input) string
	appender func([]byte, *Input) []byte
)

// native translates expressions over one event: the current one, or each one of a queue.
type native struct {
	field func(*ast.MemberNode) (Field, bool) // recognises the members that are fields of the event
}

// ofEvent reads the current event.
var ofEvent = native{fieldOf}

// matcher returns nil for an expression that it does not know; the virtual
// machine then runs it. It gives the same answers.
func (t native) matcher(node ast.Node) matcher {
	switch n := node.(type) {
	case *ast.BoolNode:
		return func(*Input) bool { return n.Value }
	case *ast.UnaryNode:
		if n.Operator != "!" && n.Operator != "not" {
			return nil
		}
		inner := t.matcher(n.Node)
		if inner == nil {
			return nil
		}
		return func(in *Input) bool { return !inner(in) }
	case *ast.BinaryNode:
		return t.binary(n)
	}
	return nil
}

// binary translates and, or, comparisons, in and matches. Like the other methods it
// returns nil for a form that it does not cover; the virtual machine runs the expression
// then.
func (t native) binary(n *ast.BinaryNode) matcher {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left, right := t.matcher(n.Left), t.matcher(n.Right)
		if left == nil || right == nil {
			return nil
		}
		if n.Operator == "and" || n.Operator == "&&" {
			return func(in *Input) bool { return left(in) && right(in) }
		}
		return func(in *Input) bool { return left(in) || right(in) }
	case "in":
		return t.in(n)
	case "matches":
		return t.matches(n)
	}
	if match := t.named(n); match != nil {
		return match
	}
	left, right := t.reader(n.Left), t.reader(n.Right)
	if left == nil || right == nil {
		return nil
	}
	switch n.Operator {
	case "==":
		return func(in *Input) bool { return left(in) == right(in) }
	case "!=":
		return func(in *Input) bool { return left(in) != right(in) }
	case "contains":
		return func(in *Input) bool { return strings.Contains(left(in), right(in)) }
	case "startsWith":
		return func(in *Input) bool { return strings.HasPrefix(left(in), right(in)) }
	case "endsWith":
		return func(in *Input) bool { return strings.HasSuffix(left(in), right(in)) }
	}
	return nil
}

// named translates the question whether a login names an account at all, as in
// evt.Meta.account != ”: the name need not be folded for it.
func (t native) named(n *ast.BinaryNode) matcher {
	member, ok := n.Left.(*ast.MemberNode)
	text, isText := n.Right.(*ast.StringNode)
	if !ok || !isText || text.Value != "" {
		return nil
	}
	if f, ok := t.field(member); !ok || f != FieldUsername && f != FieldAccount {
		return nil
	}
	switch n.Operator {
	case "==":
		return func(in *Input) bool { return in.Event.User == "" }
	case "!=":
		return func(in *Input) bool { return in.Event.User != "" }
	}
	return nil
}

// in translates "FIELD in [TEXT, …]".
func (t native) in(n *ast.BinaryNode) matcher {
	left := t.reader(n.Left)
	list, ok := n.Right.(*ast.ArrayNode)
	if left == nil || !ok {
		return nil
	}
	var values []string
	for _, item := range list.Nodes {
		text, ok := item.(*ast.StringNode)
		if !ok {
			return nil
		}
		values = append(values, text.Value)
	}
	return func(in *Input) bool { return slices.Contains(values, left(in)) }
}

// matches translates "FIELD matches PATTERN" with a constant pattern.
func (t native) matches(n *ast.BinaryNode) matcher {
	left := t.reader(n.Left)
	pattern, ok := n.Right.(*ast.StringNode)
	if left == nil || !ok {
		return nil
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return nil
	}
	return func(in *Input) bool { return re.MatchString(left(in)) }
}

// reader translates an expression whose value is a text: a constant, a field, or a
// helper around one.
func (t native) reader(node ast.Node) reader {
	switch n := node.(type) {
	case *ast.StringNode:
		return func(*Input) string { return n.Value }
	case *ast.MemberNode:
		f, ok := t.field(n)
		switch {
		case !ok:
			return nil
		case f == NoField:
			return func(*Input) string { return "" }
		}
		return f.read
	case *ast.BinaryNode:
		if n.Operator != "+" {
			return nil
		}
		left, right := t.reader(n.Left), t.reader(n.Right)
		if left == nil || right == nil {
			return nil
		}
		return func(in *Input) string { return left(in) + right(in) }
	case *ast.CallNode:
		return t.call(n)
	}
	return nil
}

// appender is reader for a text that is only compared or hashed.
func (t native) appender(node ast.Node) appender {
	switch n := node.(type) {
	case *ast.MemberNode:
		if f, ok := t.field(n); ok && f != NoField {
			return f.appendTo
		}
	case *ast.BinaryNode:
		if n.Operator != "+" {
			return nil
		}
		left, right := t.appender(n.Left), t.appender(n.Right)
		if left == nil || right == nil {
			return nil
		}
		return func(b []byte, in *Input) []byte { return right(left(b, in), in) }
	}
	read := t.reader(node)
	if read == nil {
		return nil
	}
	return func(b []byte, in *Input) []byte { return append(b, read(in)...) }
}

// call translates a helper with one text, for example Lower(evt.Meta.user).
func (t native) call(n *ast.CallNode) reader {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) != 1 {
		return nil
	}
	inner := t.reader(n.Arguments[0])
	switch {
	case inner == nil:
		return nil
	case name.Value == "Lower":
		return func(in *Input) string { return strings.ToLower(inner(in)) }
	case name.Value == "Upper":
		return func(in *Input) string { return strings.ToUpper(inner(in)) }
	}
	return nil
}

// fieldOf recognises evt.Meta.NAME and evt.Parsed.NAME. It returns NoField with true for
// a name that csmail never sets; such a name reads as "".
func fieldOf(n *ast.MemberNode) (Field, bool) {
	name, ok := n.Property.(*ast.StringNode)
	if !ok || n.Method {
		return NoField, false
	}
	table, ok := n.Node.(*ast.MemberNode)
	if !ok {
		return NoField, false
	}
	root, ok := table.Node.(*ast.IdentifierNode)
	if !ok || root.Value != "evt" {
		return NoField, false
	}
	which, ok := table.Property.(*ast.StringNode)
	switch {
	case !ok:
	case which.Value == "Meta":
		return metaFields[name.Value], true
	case which.Value == "Parsed":
		return parsedFields[name.Value], true
	}
	return NoField, false
}
