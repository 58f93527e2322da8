package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"csmail/pkg/hint"
)

// filterEnv is what a filter, groupby, distinct, cancel_on and scope expression
// may name; bucketEnv what a condition and an overflow_filter may.
type filterEnv struct {
	Evt     *Evt          `expr:"evt"`
	TimeNow func() string // the time of the event: scenarios go by event time
}

type bucketEnv struct {
	Evt     *Evt   `expr:"evt"`
	Queue   *Queue `expr:"queue"`
	Leaky   *Leaky `expr:"leaky"`
	TimeNow func() string
}

// Queue is "queue" of an expression: the events that the bucket holds, the
// oldest first (pkg/pipeline/queue.go, v1.7.8).
type Queue struct {
	Queue []*Evt
	L     int
}

// GetQueue returns the events.
func (q *Queue) GetQueue() []*Evt { return q.Queue }

// expression is a compiled expression. Where match, ofQueue and text are nil, the
// program runs.
type expression struct {
	source  string
	match   matcher
	ofQueue queueMatcher
	text    reader

	appendText appender // the same as text, without making a string
	program    *vm.Program
	tree       ast.Node
	fields     []field // of evt.Meta and evt.Parsed that it reads
	opaque     bool    // it reads more than these
	bucket     bool    // it runs in a bucketEnv

	readsEvt bool
}

// field returns the one field that the expression is, or noField.
func (x *expression) field() field {
	if member, ok := x.tree.(*ast.MemberNode); ok {
		f, _ := fieldOf(member)
		return f
	}
	return noField
}

// isEnumerated is true if (kind, service, shape) decides the expression.
func (x *expression) isEnumerated() bool {
	return !x.opaque && !slices.ContainsFunc(x.fields, func(f field) bool { return f != noField && !f.isEnumerated() })
}

// needs is what of a bucket a machine must be given before it decides an
// expression.
type needs uint8

const (
	needsEvent needs = iota // nothing
	needsFacts              // the facts of its events
	needsQueue              // the queue and leaky
)

// needs says what of a bucket the expression is decided by.
func (x *expression) needs() needs {
	switch {
	case !x.bucket || x.match != nil:
		return needsEvent
	case x.ofQueue != nil:
		return needsFacts
	}
	return needsQueue
}

// compiler compiles the expressions of one Set, which share their data files.
type compiler struct {
	functions []expr.Option
	names     []string // that an expression may call
}

func newCompiler(files *dataFiles) *compiler {
	c := &compiler{}
	for _, h := range helpers(files) {
		c.functions = append(c.functions, expr.Function(h.name, h.call, h.signature))
		c.names = append(c.names, h.name)
	}
	c.names = append(c.names, "TimeNow")
	return c
}

// compile compiles source for the environment env and the result kind.
func (c *compiler) compile(source string, env any, kind reflect.Kind) (*expression, error) {
	tree, err := parser.Parse(source)
	if err != nil {
		return nil, oneLine(err)
	}
	look := &survey{known: c.names}
	ast.Walk(&tree.Node, look)
	if look.err != nil {
		return nil, look.err
	}
	program, err := expr.Compile(source, append(slices.Clone(c.functions), expr.Env(env), expr.AsKind(kind))...)
	if err != nil {
		return nil, oneLine(err)
	}
	x := &expression{source: source, program: program, tree: tree.Node}
	_, x.bucket = env.(bucketEnv)
	x.readsEvt = look.roots > 0
	x.fields, x.opaque = look.fields, look.impure || look.roots != len(look.fields)
	if kind == reflect.Bool {
		x.match = ofEvent.matcher(tree.Node)
		if x.bucket {
			x.ofQueue = nativeQueueMatcher(tree.Node)
		}
	} else {
		x.text = ofEvent.reader(tree.Node)
		x.appendText = ofEvent.appender(tree.Node)
	}
	return x, nil
}

// conjuncts splits "a && b && c" into its parts, each compiled by itself.
func (c *compiler) conjuncts(x *expression) ([]*expression, error) {
	var parts []*expression
	var split func(ast.Node) error
	split = func(n ast.Node) error {
		if b, ok := n.(*ast.BinaryNode); ok && (b.Operator == "&&" || b.Operator == "and") {
			if err := split(b.Left); err != nil {
				return err
			}
			return split(b.Right)
		}
		part, err := c.compile(n.String(), filterEnv{}, reflect.Bool)
		parts = append(parts, part)
		return err
	}
	if err := split(x.tree); err != nil {
		return nil, err
	}
	return parts, nil
}

// survey collects what an expression reads, and refuses a call of something that
// does not exist.
type survey struct {
	known  []string
	fields []field
	roots  int  // how often "evt" or "$env" stands in it; more than there are fields: it reads something else of evt
	impure bool // it asks for the time, or calls a method
	err    error
}

// Visit sees a node after its children.
func (s *survey) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.MemberNode:
		if f, ok := fieldOf(n); ok {
			s.fields = append(s.fields, f)
		}
	case *ast.IdentifierNode:
		if n.Value == "evt" || n.Value == "$env" { // by $env anything can be reached
			s.roots++
		}
	case *ast.CallNode:
		s.call(n)
	case *ast.BuiltinNode:
		s.impure = s.impure || n.Name == "now"
	}
}

func (s *survey) call(n *ast.CallNode) {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		s.impure = true
		return
	}
	s.impure = s.impure || name.Value == "TimeNow"
	if slices.Contains(s.known, name.Value) || slices.Contains(builtin.Names, name.Value) || s.err != nil {
		return
	}
	if slices.Contains(unsupported, name.Value) {
		s.err = fmt.Errorf("the helper %q of CrowdSec is not supported", name.Value)
		return
	}
	s.err = fmt.Errorf("unknown helper %q%s", name.Value, nearest(name.Value, slices.Concat(s.known, builtin.Names)))
}

// oneLine makes expr's error, which draws the expression with a caret, one line.
func oneLine(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s", first)
}

// nearest returns ": did you mean X" for the name that differs least, or "".
func nearest(name string, names []string) string {
	best := hint.Nearest(name, names, len(name)/3+1)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
