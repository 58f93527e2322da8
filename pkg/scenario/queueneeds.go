package scenario

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/expr-lang/expr/ast"
	"gopkg.in/yaml.v3"

	"csmail/pkg/event"
)

// queueOf finds what the queue of a bucket must hold. Its length follows
// pkg/leakybucket/bucket.go and pkg/pipeline/queue.go (v1.7.8): one more than the
// capacity or cache_size.
func (l *loader) queueOf(d *document, s *Scenario) error {
	s.queueLimit = -1
	switch {
	case d.CacheSize > 0 && (d.CacheSize <= d.Capacity || d.Capacity == -1):
		s.queueLimit = d.CacheSize + 1
	case d.Capacity >= 0:
		s.queueLimit = d.Capacity + 1
	}
	for _, x := range s.bucketExpressions() {
		reads := queueReadsOf(x.tree)
		l.set.shapes = l.set.shapes || reads.queue && (reads.hub || reads.more)
		s.keepFacts = s.keepFacts || reads.queue
		s.keepTimes = s.keepTimes || reads.queue && reads.times
		s.keepEvents = s.keepEvents || reads.queue && reads.more
	}
	s.keepEvents = s.keepEvents || (s.scope != nil && !s.isPlainScope())
	return nil
}

// isPlainScope is true if the value of the scope follows from the address or
// from the key of the bucket.
func (s *Scenario) isPlainScope() bool {
	switch s.scopeField {
	case fieldSourceIP, fieldSourceBlock, fieldSourceRange:
		return true
	}
	return s.scope == nil || (s.groupBy != nil && s.groupBy.source == s.scope.source)
}

// bucketExpressions are those that may read the queue.
func (s *Scenario) bucketExpressions() []*expression {
	var all []*expression
	for _, x := range [...]*expression{s.condition, s.overflowFilter} {
		if x != nil {
			all = append(all, x)
		}
	}
	for _, b := range s.bayes {
		all = append(all, b.expression)
	}
	return all
}

// queueReads tells what an expression reads of the queued events: anything, their
// times, enumerated fields that the hub's parsers set, or more than times and
// enumerated fields.
type queueReads struct{ queue, times, hub, more bool }

func queueReadsOf(tree ast.Node) queueReads {
	reads := &queueReads{}
	ast.Walk(&tree, reads)
	return *reads
}

// Visit allows, of members, only those that a compact fact answers.
func (q *queueReads) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		q.queue = q.queue || n.Value == "queue"
	case *ast.CallNode:
		if _, ok := n.Callee.(*ast.MemberNode); ok {
			q.more = true
		}
	case *ast.MemberNode:
		q.more = q.more || !isCompact(n)
		if name, ok := n.Property.(*ast.StringNode); ok {
			q.times = q.times || name.Value == "Time"
			q.hub = q.hub || metaFields[name.Value] >= fieldLogType && metaFields[name.Value] <= fieldPregreet
		}
	}
}

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
		return true // of the event at hand, not of the queue
	}
	return slices.Contains([]string{"Queue", "L", "Time", "Meta", "Total_count", "First_ts", "Last_ts", "Ovflw_ts"}, name.Value)
}

// survey finds the kinds that the scenario may count and the fields that csmail
// never sets.
func (l *loader) survey(s *Scenario) {
	var ev event.Event
	m := machine{in: &input{ev: &ev}}
	for _, k := range event.Kinds() {
		for service := event.NoService; service <= event.SSHD; service++ {
			for sh := noShape; sh < shapeCount; sh++ {
				if sh.plausible(k, service) && s.mayTake(&m, k, service, sh) {
					s.Kinds |= 1 << k
				}
			}
		}
	}
	for _, x := range slices.Concat([]*expression{s.filter, s.groupBy, s.distinct, s.cancelOn}, s.bucketExpressions()) {
		if x == nil {
			continue
		}
		l.set.shapes = l.set.shapes || x.readsShape()
		ast.Walk(&x.tree, &unknownFields{s})
	}
}

// readsShape is true unless the expression reads nothing of the hub's parsers.
func (x *expression) readsShape() bool {
	return x.opaque || slices.ContainsFunc(x.fields, func(f field) bool {
		return f >= fieldLogType && f <= fieldPregreet || f == fieldTargetUser || f == fieldHubUser || f == fieldLoginMessage
	})
}

// mayTake runs the enumerated conjuncts of the filter on a machine with room for an
// event.
func (s *Scenario) mayTake(m *machine, k event.Kind, service event.Service, sh shape) bool {
	*m.in = input{ev: m.in.ev, shape: sh}
	m.in.ev.Kind, m.in.ev.Service = k, service
	for _, x := range s.sure {
		if !m.isTrue(x) {
			return false
		}
	}
	return true
}

type unknownFields struct{ s *Scenario }

// Visit notes evt.Meta.NAME and evt.Parsed.NAME that csmail never sets.
func (u *unknownFields) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.MemberNode)
	if !ok {
		return
	}
	f, ok := fieldOf(n)
	if !ok || f != noField {
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
	note := fmt.Sprintf("csmail never sets evt.%s.%s%s", table, name, nearest(name, known))
	if !slices.Contains(u.s.Notes, note) {
		u.s.Notes = append(u.s.Notes, note)
	}
}

// hashOf identifies what a document decides: a changed one starts with empty
// buckets, one whose text or labels changed keeps them.
func hashOf(d *document) uint64 {
	decides := d.spec
	decides.Description, decides.References, decides.Labels, decides.Debug, decides.Version, decides.Author = "", nil, nil, false, "", ""
	text, err := yaml.Marshal(decides)
	if err != nil {
		text = []byte(d.Name)
	}
	h := fnv.New64a()
	_, _ = h.Write(text)
	return h.Sum64()
}
