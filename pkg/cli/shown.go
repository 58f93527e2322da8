package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"csmail/pkg/hint"
	"csmail/pkg/render"
)

// fewRows is the number of sources on a screen by default.
const fewRows = 20

// shownOptions are the flags that select and sort the sources on a screen.
type shownOptions struct {
	all, wide bool
	top       int
	sort      string
	user      string
	by        string
}

func (o *shownOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.all, "all", false, "show all sources")
	f.IntVar(&o.top, "top", 0, "show so many sources (default 20 on a screen, all in json and raw)")
	f.StringVar(&o.sort, "sort", string(render.ByTries), "tries, last or users: most tries, last seen, or most login names first")
	f.BoolVar(&o.wide, "wide", false, "show every kind, name, time and scenario of a source")
	f.StringVar(&o.by, "by", "", "sum up by user, network (/24, /64 of IPv6), country, as (network operator), day or kind")
	f.StringVar(&o.user, "user", "", "only who tried this login name; alice is alice in every domain")
}

// check returns an error for an unknown order.
func (o *shownOptions) check() error {
	if o.top < 0 {
		return usageError{hint.Wrap(fmt.Errorf("--top %d is no number of sources", o.top), "give it like --top 50; --all shows all")}
	}
	if o.all && o.top > 0 {
		return usageError{hint.Wrap(fmt.Errorf("both --all and --top are given"), "leave one of them out")}
	}
	if orders := render.Orders(); !slices.Contains(orders, o.sort) {
		advice := "csmail scan --help says what they mean"
		if meant := nearest(o.sort, orders); meant != "" {
			advice = fmt.Sprintf("did you mean %s?", meant)
		}
		return usageError{hint.Wrap(fmt.Errorf("--sort %q not supported: must be one of %s", o.sort, strings.Join(orders, ", ")), "%s", advice)}
	}
	if o.by != "" && o.wide {
		return usageError{hint.Wrap(fmt.Errorf("--wide is about sources, and --by sums them up"), "leave one of them out")}
	}
	return checkBy(o.by)
}

// rows returns the largest number of sources on a screen; 0 for all.
func (o *shownOptions) rows() int {
	switch {
	case o.all:
		return 0
	case o.top > 0:
		return o.top
	}
	return fewRows
}
