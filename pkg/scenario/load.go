package scenario

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/scenario/expression"
)

// MaxScenarios bounds a Set: a bucket has few bits for the number of its scenario.
const MaxScenarios = 2048

// Load reads scenario files, or every *.yaml and *.yml below a folder, sorted by
// path. A file may hold several documents. The data files of a scenario lie beside
// it or at the top of fsys. The first fault ends it with a [Problem].
func Load(fsys fs.FS, paths ...string) (*Set, error) {
	files, err := scenarioFiles(fsys, paths)
	if err != nil {
		return nil, err
	}
	l := &loader{fsys: fsys, data: expression.NewDataFiles(), set: &Set{}}
	l.compiler = expression.NewCompiler(l.data)
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read scenario file: %w", err)
		}
		documents, err := readDocuments(file, text)
		if err != nil {
			return nil, err
		}
		for _, d := range documents {
			if err := l.add(d); err != nil {
				return nil, err
			}
		}
	}
	return l.set, nil
}

// scenarioFiles returns the files of the paths: a file itself, and the *.yaml and *.yml
// below a folder.
func scenarioFiles(fsys fs.FS, paths []string) ([]string, error) {
	var files []string
	for _, name := range paths {
		name = path.Clean(name)
		err := fs.WalkDir(fsys, name, func(found string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			isYAML := strings.HasSuffix(found, ".yaml") || strings.HasSuffix(found, ".yml")
			if !entry.IsDir() && (isYAML || found == name) && !slices.Contains(files, found) {
				files = append(files, found)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("find scenario files: %w", err)
		}
	}
	return files, nil
}

type loader struct {
	fsys     fs.FS
	data     *expression.DataFiles
	compiler *expression.Compiler
	set      *Set
}

// add compiles a document and appends it to the set.
func (l *loader) add(d *document) error {
	if d.Name == "" {
		return d.problem("name", fmt.Errorf("a scenario needs a name"))
	}
	hash := hashOf(d)
	for _, other := range l.set.scenarios {
		// Some of the hub's files hold two scenarios of one name.
		if other.Name == d.Name && other.Hash == hash {
			return d.problem("name", fmt.Errorf("the same scenario %q stands in %s:%d already", d.Name, other.File, other.Line))
		}
	}
	if len(l.set.scenarios) == MaxScenarios {
		return d.problem("name", fmt.Errorf("more than %d scenarios", MaxScenarios))
	}
	for _, data := range d.Data {
		if err := l.dataFile(d, data); err != nil {
			return d.problem("data", err)
		}
	}
	s := &Scenario{
		Name: d.Name, Description: d.Description, Type: d.Type, File: d.file, Line: d.line,
		Capacity: d.Capacity, Labels: labelsOf(d.Labels),
		Plan: Plan{Index: uint16(len(l.set.scenarios)), Hash: hash, IsLeaky: d.Type == "leaky", IsTrigger: d.Type == "trigger"},
	}
	for _, step := range [...]func(*document, *Scenario) error{l.durations, validate, l.expressions, l.scopeOf, l.queueOf} {
		if err := step(d, s); err != nil {
			return err
		}
	}
	if d.Reprocess {
		s.Notes = append(s.Notes, "reprocess: an overflow is not fed back into the scenarios")
	}
	l.survey(s)
	l.set.scenarios = append(l.set.scenarios, s)
	return nil
}

// dataFile reads one of the files under the key data, if its type is one that
// expressions can read.
func (l *loader) dataFile(d *document, data dataSpec) error {
	switch data.Type {
	case "":
		return nil // CrowdSec downloads such a file for others and reads nothing of it
	case "string":
		return readDataFile(l.data, l.fsys, path.Dir(d.file), data.DestFile, "string")
	case "regexp", "regex":
		return readDataFile(l.data, l.fsys, path.Dir(d.file), data.DestFile, "regexp")
	}
	return fmt.Errorf("the type %q of a data file is not supported%s", data.Type, hint.DidYouMean(data.Type, []string{"string", "regexp"}))
}

// durations parses the keys with a duration. CrowdSec's form is Go's: 90s, 5m, 4h.
func (l *loader) durations(d *document, s *Scenario) error {
	for _, key := range [...]struct {
		name, text string
		to         *time.Duration
	}{{"leakspeed", d.LeakSpeed, &s.LeakSpeed}, {"duration", d.Duration, &s.Duration}, {"blackhole", d.Blackhole, &s.Blackhole}} {
		if key.text == "" {
			continue
		}
		value, err := time.ParseDuration(key.text)
		if err != nil {
			return d.problem(key.name, fmt.Errorf("%q is no duration; write it as 90s, 5m or 4h", key.text))
		}
		if value < 0 {
			return d.problem(key.name, fmt.Errorf("must not be negative: %q", key.text))
		}
		*key.to = value
	}
	return nil
}

// validate follows pkg/leakybucket/buckettype.go (v1.7.8).
func validate(d *document, s *Scenario) error {
	if d.Description == "" {
		return d.problem("description", fmt.Errorf("a scenario needs a description"))
	}
	if d.Filter == "" {
		return d.problem("filter", fmt.Errorf("a scenario needs a filter"))
	}
	needsLeak := false
	switch d.Type {
	case "leaky":
		if d.Capacity <= 0 {
			return d.problem("capacity", fmt.Errorf("%d is too small: a leaky scenario holds at least 1", d.Capacity))
		}
		needsLeak = true
	case "trigger":
		if d.Capacity != 0 {
			return d.problem("capacity", fmt.Errorf("%d: a trigger has none", d.Capacity))
		}
	case "counter":
		if d.Capacity != -1 {
			return d.problem("capacity", fmt.Errorf("%d: a counter has the capacity -1", d.Capacity))
		}
		if s.Duration <= 0 {
			return d.problem("duration", fmt.Errorf("%q: a counter needs a duration", d.Duration))
		}
	case "conditional":
		if d.Condition == "" {
			return d.problem("condition", fmt.Errorf("a conditional scenario needs a condition"))
		}
		if d.Capacity < -1 {
			return d.problem("capacity", fmt.Errorf("invalid capacity %d (use -1 for unlimited)", d.Capacity))
		}
		needsLeak = true
	case "bayesian":
		if err := validateBayes(d); err != nil {
			return err
		}
		needsLeak = true
	default:
		types := []string{"leaky", "trigger", "counter", "conditional", "bayesian"}
		return d.problem("type", fmt.Errorf("unknown type %q%s", d.Type, hint.DidYouMean(d.Type, types)))
	}
	if needsLeak && s.LeakSpeed <= 0 {
		return d.problem("leakspeed", fmt.Errorf("%q: a %s scenario needs a leakspeed", d.LeakSpeed, d.Type))
	}
	if s.LeakSpeed > 0 && int64(s.Capacity) >= math.MaxInt64/int64(s.LeakSpeed)-1 {
		return d.problem("capacity", fmt.Errorf("%d: at a leakspeed of %s the bucket would leak for centuries", d.Capacity, d.LeakSpeed))
	}
	if d.Type != "counter" && s.Duration > 0 {
		return d.problem("duration", fmt.Errorf("%q: only a counter has a duration", d.Duration))
	}
	if d.Type != "bayesian" && (len(d.BayesianConditions) > 0 || d.BayesianPrior != 0 || d.BayesianThreshold != 0) {
		return d.problem("type", fmt.Errorf("%q: only a bayesian scenario has bayesian_prior, bayesian_threshold and bayesian_conditions", d.Type))
	}
	s.Life = lifeOf(s)
	return nil
}

// validateBayes checks the keys of a bayesian scenario. Probabilities must be between 0
// and 1.
func validateBayes(d *document) error {
	switch {
	case len(d.BayesianConditions) == 0:
		return d.problem("bayesian_conditions", fmt.Errorf("a bayesian scenario needs conditions"))
	case len(d.BayesianConditions) > 16:
		return d.problem("bayesian_conditions", fmt.Errorf("more than 16 conditions"))
	case d.BayesianPrior <= 0 || d.BayesianPrior > 1:
		return d.problem("bayesian_prior", fmt.Errorf("must be between 0 and 1, is %v", d.BayesianPrior))
	case d.BayesianThreshold <= 0 || d.BayesianThreshold > 1:
		return d.problem("bayesian_threshold", fmt.Errorf("must be between 0 and 1, is %v", d.BayesianThreshold))
	case d.Capacity != -1:
		return d.problem("capacity", fmt.Errorf("%d: a bayesian scenario has the capacity -1", d.Capacity))
	}
	return nil
}

// lifeOf is how long a bucket lives without an event (pkg/leakybucket/bucket.go,
// NewLeakyFromFactory), and a counter from its first one.
func lifeOf(s *Scenario) int64 {
	switch s.Type {
	case "leaky":
		return int64(s.Capacity+1) * int64(s.LeakSpeed)
	case "counter":
		return int64(s.Duration)
	case "trigger":
		return 0
	}
	return int64(s.LeakSpeed)
}

// expressions compiles each key that holds an expression.
func (l *loader) expressions(d *document, s *Scenario) error {
	for _, key := range [...]struct {
		name, text string
		compile    func(string) (*expression.Expression, error)
		to         **expression.Expression
	}{
		{"filter", d.Filter, l.compiler.Condition, &s.filter},
		{"groupby", d.GroupBy, l.compiler.Text, &s.GroupBy},
		{"distinct", d.Distinct, l.compiler.Text, &s.Distinct},
		{"cancel_on", d.CancelOn, l.compiler.Condition, &s.CancelOn},
		{"overflow_filter", d.OverflowFilter, l.compiler.BucketCondition, &s.OverflowFilter},
		{"condition", d.Condition, l.compiler.BucketCondition, &s.Condition},
	} {
		if key.text == "" {
			continue
		}
		x, err := key.compile(key.text)
		if err != nil {
			return d.problem(key.name, fmt.Errorf("%q: %w", key.text, err))
		}
		*key.to = x
	}
	if s.OverflowFilter != nil && s.OverflowFilter.LoseEvt() {
		s.Notes = append(s.Notes, "overflow_filter: there is no evt when a bucket overflows; an expression that reads it fails, and drops nothing")
	}
	for _, b := range d.BayesianConditions {
		x, err := l.compiler.BucketCondition(b.Condition)
		if err != nil {
			return d.problem("bayesian_conditions", fmt.Errorf("%q: %w", b.Condition, err))
		}
		s.Bayes = append(s.Bayes, BayesCondition{x, b.ProbGivenEvil, b.ProbGivenBenign, b.Guillotine})
	}
	s.Prior, s.Threshold = d.BayesianPrior, d.BayesianThreshold
	l.splitFilter(s)
	return nil
}

// splitFilter divides the filter into the conjuncts that kind, service and shape decide
// (Sure) and the others (Rest). The first ones are decided once for each combination, so
// at an event only the others run. For example, of "evt.Meta.kind == 'auth-failed' &&
// evt.Meta.user == 'bob'" only the second conjunct is in Rest.
func (l *loader) splitFilter(s *Scenario) {
	for _, part := range l.compiler.Conjuncts(s.filter) {
		if part.IsEnumerated() {
			s.Sure = append(s.Sure, part)
		} else {
			s.Rest = append(s.Rest, part)
		}
	}
	if s.GroupBy != nil {
		s.GroupField = s.GroupBy.Field()
	}
	if s.Distinct != nil {
		s.DistinctField = s.Distinct.Field()
	}
}

// scopeOf follows pkg/leakybucket/scopetype.go (v1.7.8).
func (l *loader) scopeOf(d *document, s *Scenario) error {
	s.Scope = d.Scope.Type
	if s.Scope == "" || s.Scope == "undefined" {
		s.Scope = string(event.ScopeIP)
	}
	switch {
	case s.Scope == string(event.ScopeIP) && d.Scope.Expression != "":
		return d.problem("scope", fmt.Errorf("%q: the scope Ip takes no expression", d.Scope.Expression))
	case s.Scope == string(event.ScopeIP):
		return nil
	case d.Scope.Expression == "" && s.Scope != string(event.ScopeRange):
		return d.problem("scope", fmt.Errorf("the scope %q needs an expression%s", s.Scope, hint.DidYouMean(s.Scope, []string{"Ip", "Range"})))
	case d.Scope.Expression == "":
		s.ScopeField = expression.FieldSourceRange
		return nil
	}
	x, err := l.compiler.Text(d.Scope.Expression)
	if err != nil {
		return d.problem("scope", fmt.Errorf("%q: %w", d.Scope.Expression, err))
	}
	s.ScopeValue, s.ScopeField = x, x.Field()
	return nil
}
