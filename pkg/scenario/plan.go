package scenario

import "csmail/pkg/scenario/expression"

// Plan is the compiled form of a scenario that its buckets use: its expressions, and
// values derived from them and from its keys. They are computed once, because a Plan is
// read at each event. An expression that the file does not have is nil.
type Plan struct {
	Index     uint16 // of the scenario in its Set
	IsLeaky   bool   // of the type leaky
	IsTrigger bool   // of the type trigger
	Hash      uint64 // of all that decides: buckets are those of a scenario of this name and hash
	Life      int64  // nanoseconds that a bucket lives without an event, and a counter from its first one

	Sure           []*expression.Expression // conjuncts of the filter that kind, service and shape decide
	Rest           []*expression.Expression // the others
	GroupBy        *expression.Expression
	GroupField     expression.Field // that groupby is, if it is one field
	Distinct       *expression.Expression
	DistinctField  expression.Field // that distinct is, if it is one field
	CancelOn       *expression.Expression
	OverflowFilter *expression.Expression
	Condition      *expression.Expression
	ScopeValue     *expression.Expression // the value of the scope; nil for Ip, and for Range if it is source_range
	ScopeField     expression.Field       // that the value of the scope is, if it is one field
	Bayes          []BayesCondition       // at most 16
	Prior          float32                // bayesian_prior, 0-1
	Threshold      float32                // bayesian_threshold, 0-1: a higher probability overflows

	CountsKinds bool // leaky, and counts each event of Kinds of a source_block, whatever else it holds
	CountsNames bool // leaky, and counts each account, or each address, with an event of Kinds once, whatever else it holds
	SumsKinds   bool // as CountsKinds, but an overflow filter looks at the kinds and services of the queue

	QueueLimit int  // events that the queue holds at most; -1: no limit
	KeepFacts  bool // an expression reads the queue
	KeepTimes  bool // an expression may read times of the queue
	KeepEvents bool // an expression reads more of the queue
}

// BayesCondition is one of the bayesian_conditions (pkg/leakybucket/bayesian.go,
// v1.7.8).
type BayesCondition struct {
	*expression.Expression
	Evil, Benign float32 // how likely the condition is true of an attacker, and of any other client
	Guillotine   bool    // once true it stays true
}
