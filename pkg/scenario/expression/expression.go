// Package expression is the language of CrowdSec's scenario files. It compiles filters,
// conditions and the texts by which buckets are keyed (expr-lang/expr at the version
// that CrowdSec v1.7.8 pins, with CrowdSec's helpers), and offers the fields of an event
// as evt.Meta and evt.Parsed. It runs compiled expressions, the most frequent forms
// without the virtual machine. For example, evt.Meta.kind == "auth-failed" becomes one
// comparison. It reads no file, has no clock and no goroutine, and keeps nothing of an
// event or a bucket: the caller hands them to the [Machine].
package expression

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

// filterEnv has the names for a filter, groupby, distinct, cancel_on and scope
// expression; bucketEnv those for a condition and an overflow_filter.
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
	L     int // events that it may hold, as CrowdSec counts them
}

// GetQueue returns the events.
func (q *Queue) GetQueue() []*Evt { return q.Queue }

// Expression is a compiled expression. It does not change, and any number of
// Machines may run it. Where match, ofQueue and text are nil, the program runs.
type Expression struct {
	source  string
	match   matcher
	ofQueue queueMatcher
	text    reader

	appendText appender // the same as text, without making a string
	program    *vm.Program
	tree       ast.Node
	fields     []Field // of evt.Meta and evt.Parsed that it reads
	opaque     bool    // it reads more than these
	bucket     bool    // it runs in a bucketEnv

	readsEvt bool
}

// Source is the text that was compiled.
func (x *Expression) Source() string { return x.source }

// Field returns the one field that the expression is, or [NoField].
func (x *Expression) Field() Field {
	if member, ok := x.tree.(*ast.MemberNode); ok {
		f, _ := fieldOf(member)
		return f
	}
	return NoField
}

// LoseEvt makes evt nil, as it is when a bucket overflows
// (pkg/leakybucket/overflow_filter.go, v1.7.8). It reports whether the expression read
// it.
func (x *Expression) LoseEvt() bool {
	if !x.readsEvt {
		return false
	}
	x.match, x.readsEvt = nil, false
	return true
}

// IsEnumerated reports whether kind, service and shape of an event decide the
// expression.
func (x *Expression) IsEnumerated() bool {
	return !x.opaque && !slices.ContainsFunc(x.fields, func(f Field) bool { return f != NoField && !f.isEnumerated() })
}

// Needs is the part of a bucket that a Machine must be given before it decides an
// expression.
type Needs uint8

// The inputs besides the event.
const (
	NeedsEvent Needs = iota // nothing
	NeedsFacts              // Machine.Facts
	NeedsQueue              // Machine.Queue and Machine.Leaky
)

// Needs returns the parts of a bucket that decide the expression.
func (x *Expression) Needs() Needs {
	switch {
	case !x.bucket || x.match != nil:
		return NeedsEvent
	case x.ofQueue != nil:
		return NeedsFacts
	}
	return NeedsQueue
}

// Compiler compiles expressions that share their data files. Its errors are one line and
// name the fault, without the source.
type Compiler struct {
	functions []expr.Option
	names     []string // that an expression may call
	compiled  map[compiled]Expression
}

// compiled names an expression that was compiled before: scenarios have the same groupby
// and the same conjuncts.
type compiled struct {
	source string
	env    reflect.Type
	kind   reflect.Kind
}

// NewCompiler returns a Compiler of expressions that may name the files, also those
// that are added later.
func NewCompiler(files *DataFiles) *Compiler {
	c := &Compiler{compiled: map[compiled]Expression{}}
	for _, h := range helpers(files) {
		c.functions = append(c.functions, expr.Function(h.name, h.call, h.signature))
		c.names = append(c.names, h.name)
	}
	c.names = append(c.names, "TimeNow")
	return c
}

// Condition compiles a filter or cancel_on: a condition over one event.
func (c *Compiler) Condition(source string) (*Expression, error) {
	return c.compile(source, filterEnv{}, reflect.Bool)
}

// Text compiles a groupby, distinct or scope expression: a text of one event.
func (c *Compiler) Text(source string) (*Expression, error) {
	return c.compile(source, filterEnv{}, reflect.String)
}

// BucketCondition compiles a condition, an overflow_filter or a bayesian condition,
// which may also name queue and leaky.
func (c *Compiler) BucketCondition(source string) (*Expression, error) {
	return c.compile(source, bucketEnv{}, reflect.Bool)
}

// compile compiles source for the environment env and the result kind. Each call returns an
// Expression of its own.
func (c *Compiler) compile(source string, env any, kind reflect.Kind) (*Expression, error) {
	key := compiled{source, reflect.TypeOf(env), kind}
	if x, known := c.compiled[key]; known {
		return &x, nil
	}
	x, err := c.compileNew(source, env, kind)
	if err == nil {
		c.compiled[key] = *x
	}
	return x, err
}

func (c *Compiler) compileNew(source string, env any, kind reflect.Kind) (*Expression, error) {
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
	x := &Expression{source: source, program: program, tree: tree.Node}
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

// Conjuncts splits "a && b && c" into its parts, each compiled by itself. A part
// that expr's printer writes down as something else stays unsplit: the whole is
// then the only part.
func (c *Compiler) Conjuncts(x *Expression) []*Expression {
	if !isAnd(x.tree) {
		return []*Expression{x}
	}
	var parts []*Expression
	var split func(ast.Node) bool
	split = func(n ast.Node) bool {
		if isAnd(n) {
			b := n.(*ast.BinaryNode)
			return split(b.Left) && split(b.Right)
		}
		part, err := c.compile(n.String(), filterEnv{}, reflect.Bool)
		if err != nil || ast.Dump(part.tree) != ast.Dump(n) {
			return false
		}
		parts = append(parts, part)
		return true
	}
	if !split(x.tree) {
		return []*Expression{x}
	}
	return parts
}

func isAnd(n ast.Node) bool {
	b, ok := n.(*ast.BinaryNode)
	return ok && (b.Operator == "&&" || b.Operator == "and")
}

// survey collects the fields that an expression reads, and refuses a call of an unknown
// function.
type survey struct {
	known  []string
	fields []Field
	roots  int  // occurrences of "evt" and "$env"; if there are more than fields, something else of evt is read
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

// call notes a call of a helper. An expression that asks for the time or calls a method
// is impure.
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
	s.err = fmt.Errorf("unknown helper %q%s", name.Value, hint.DidYouMean(name.Value, slices.Concat(s.known, builtin.Names)))
}

// oneLine shortens expr's error to one line, without the drawing of the expression.
func oneLine(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s", first)
}
