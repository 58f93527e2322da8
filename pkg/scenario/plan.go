package scenario

import "csmail/pkg/expression"

// Plan is what the buckets of a scenario go by: its expressions, compiled, and what
// follows from them and from its keys. Package bucket reads it at each event, so
// it stands here ready to use. An expression that the file has not is nil.
type Plan struct {
	index     uint16 // of the scenario in its Set
	isLeaky   bool
	isTrigger bool
	hash      uint64 // of all that decides: buckets are those of a scenario of this name and hash
	life      int64  // nanoseconds that a bucket lives without an event, and a counter from its first one

	sure           []*expression.Expression // conjuncts of the filter that kind, service and shape decide
	rest           []*expression.Expression // the others
	groupBy        *expression.Expression
	groupField     expression.Field // that groupby is, if it is one field
	distinct       *expression.Expression
	distinctField  expression.Field // that distinct is, if it is one field
	cancelOn       *expression.Expression
	overflowFilter *expression.Expression
	condition      *expression.Expression
	scope          *expression.Expression // the value of the scope; nil for Ip, and for Range if it is source_range
	scopeField     expression.Field       // that the value of the scope is, if it is one field
	bayes          []bayesCondition       // at most 16
	prior          float32
	threshold      float32

	queueLimit int  // events that the queue holds at most; -1: no limit
	keepFacts  bool // an expression reads the queue, but only times and enumerated fields
	keepTimes  bool // an expression may read times of the queue
	keepEvents bool // an expression reads more of the queue
}

// bayesCondition is one of the bayesian_conditions (pkg/leakybucket/bayesian.go,
// v1.7.8).
type bayesCondition struct {
	*expression.Expression
	evil, benign float32 // how likely it is true of an attacker, and of anybody else
	guillotine   bool    // once true it stays true
}
