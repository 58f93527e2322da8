package scenario

import (
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// matcher and reader are the parts of an expression that need no virtual
// machine: comparisons of fields with constants, joined by and, or, not.
type (
	matcher  func(*input) bool
	reader   func(*input) string
	appender func([]byte, *input) []byte
)

// nativeMatcher returns nil for an expression that it does not know; the virtual
// machine then runs it. It gives the same answers.
func nativeMatcher(node ast.Node) matcher {
	switch n := node.(type) {
	case *ast.BoolNode:
		return func(*input) bool { return n.Value }
	case *ast.UnaryNode:
		if n.Operator != "!" && n.Operator != "not" {
			return nil
		}
		inner := nativeMatcher(n.Node)
		if inner == nil {
			return nil
		}
		return func(in *input) bool { return !inner(in) }
	case *ast.BinaryNode:
		return nativeBinary(n)
	}
	return nil
}

func nativeBinary(n *ast.BinaryNode) matcher {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left, right := nativeMatcher(n.Left), nativeMatcher(n.Right)
		if left == nil || right == nil {
			return nil
		}
		if n.Operator == "and" || n.Operator == "&&" {
			return func(in *input) bool { return left(in) && right(in) }
		}
		return func(in *input) bool { return left(in) || right(in) }
	case "in":
		return nativeIn(n)
	case "matches":
		return nativeMatches(n)
	}
	left, right := nativeReader(n.Left), nativeReader(n.Right)
	if left == nil || right == nil {
		return nil
	}
	switch n.Operator {
	case "==":
		return func(in *input) bool { return left(in) == right(in) }
	case "!=":
		return func(in *input) bool { return left(in) != right(in) }
	case "contains":
		return func(in *input) bool { return strings.Contains(left(in), right(in)) }
	case "startsWith":
		return func(in *input) bool { return strings.HasPrefix(left(in), right(in)) }
	case "endsWith":
		return func(in *input) bool { return strings.HasSuffix(left(in), right(in)) }
	}
	return nil
}

func nativeIn(n *ast.BinaryNode) matcher {
	left := nativeReader(n.Left)
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
	return func(in *input) bool { return slices.Contains(values, left(in)) }
}

func nativeMatches(n *ast.BinaryNode) matcher {
	left := nativeReader(n.Left)
	pattern, ok := n.Right.(*ast.StringNode)
	if left == nil || !ok {
		return nil
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return nil
	}
	return func(in *input) bool { return re.MatchString(left(in)) }
}

func nativeReader(node ast.Node) reader {
	switch n := node.(type) {
	case *ast.StringNode:
		return func(*input) string { return n.Value }
	case *ast.MemberNode:
		f, ok := fieldOf(n)
		switch {
		case !ok:
			return nil
		case f == noField:
			return func(*input) string { return "" }
		}
		return f.read
	case *ast.BinaryNode:
		if n.Operator != "+" {
			return nil
		}
		left, right := nativeReader(n.Left), nativeReader(n.Right)
		if left == nil || right == nil {
			return nil
		}
		return func(in *input) string { return left(in) + right(in) }
	case *ast.CallNode:
		return nativeCall(n)
	}
	return nil
}

// nativeAppender is nativeReader for a text that is only compared or hashed.
func nativeAppender(node ast.Node) appender {
	switch n := node.(type) {
	case *ast.MemberNode:
		if f, ok := fieldOf(n); ok && f != noField {
			return f.appendTo
		}
	case *ast.BinaryNode:
		if n.Operator != "+" {
			return nil
		}
		left, right := nativeAppender(n.Left), nativeAppender(n.Right)
		if left == nil || right == nil {
			return nil
		}
		return func(b []byte, in *input) []byte { return right(left(b, in), in) }
	}
	read := nativeReader(node)
	if read == nil {
		return nil
	}
	return func(b []byte, in *input) []byte { return append(b, read(in)...) }
}

func nativeCall(n *ast.CallNode) reader {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) != 1 {
		return nil
	}
	inner := nativeReader(n.Arguments[0])
	switch {
	case inner == nil:
		return nil
	case name.Value == "Lower":
		return func(in *input) string { return strings.ToLower(inner(in)) }
	case name.Value == "Upper":
		return func(in *input) string { return strings.ToUpper(inner(in)) }
	}
	return nil
}

// fieldOf knows evt.Meta.NAME and evt.Parsed.NAME; noField with true is a name
// that csmail never sets, which reads as "".
func fieldOf(n *ast.MemberNode) (field, bool) {
	name, ok := n.Property.(*ast.StringNode)
	if !ok || n.Method {
		return noField, false
	}
	table, ok := n.Node.(*ast.MemberNode)
	if !ok {
		return noField, false
	}
	root, ok := table.Node.(*ast.IdentifierNode)
	if !ok || root.Value != "evt" {
		return noField, false
	}
	which, ok := table.Property.(*ast.StringNode)
	switch {
	case !ok:
	case which.Value == "Meta":
		return metaFields[name.Value], true
	case which.Value == "Parsed":
		return parsedFields[name.Value], true
	}
	return noField, false
}
