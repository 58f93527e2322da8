package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
	"csmail/pkg/render"
)

// pushOptions are the flags of csmail scan --push.
type pushOptions struct {
	on, simulate bool
	duration     string
	length       time.Duration
}

func (o *pushOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.on, "push", false, "tell CrowdSec's Local API of the sources whose verdict is ban")
	f.StringVar(&o.duration, "duration", "", "with --push: ban for this long (72h, 7d) instead of what profiles.yaml says")
	f.BoolVar(&o.simulate, "simulate", false, "with --push: store the alerts as simulated; nobody is banned")
}

// check returns an error for flags that make sense only with --push.
func (o *pushOptions) check() error {
	if !o.on && (o.simulate || o.duration != "") {
		return usageError{hint.Wrap(fmt.Errorf("--duration and --simulate go with --push"), "add --push")}
	}
	if o.duration == "" {
		return nil
	}
	d, ok := config.ParseDuration(o.duration)
	if !ok || d <= 0 {
		return usageError{hint.Wrap(fmt.Errorf("--duration %q is no duration", o.duration), "give it like 4h or 7d")}
	}
	o.length = d
	return nil
}

// newClient reads the LAPI's credentials, before any log is read.
func (s scan) newClient() (*lapi.Client, error) {
	credentials, err := lapi.LoadCredentials(s.config.LAPI.Credentials)
	if err != nil {
		return nil, configError{err}
	}
	client, err := lapi.New(credentials, version())
	if err != nil {
		return nil, configError{err}
	}
	return client, nil
}

// pushBans sends the findings with the verdict ban to the LAPI and reports the outcome of
// each.
func (s scan) pushBans(ctx context.Context, findings []engine.Finding, std Streams) error {
	var alerts []event.Alert
	for _, f := range findings {
		if f.Verdict.Action == guard.Ban {
			alerts = append(alerts, f.Alert)
		}
	}
	outcomes, err := s.client.Push(ctx, alerts, lapi.PushOptions{
		Duration: s.push.length, RangeDuration: time.Duration(s.config.LAPI.Duration), Simulate: s.push.simulate, Now: time.Now(),
	})
	render.Pushed(std.Err, findings, outcomes, s.looks(ctx, outcomes), s.input.zone)
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Status == lapi.Rejected {
			return hint.Wrap(fmt.Errorf("the LAPI rejected the alert on %s: %s", render.Printable(o.Alert.Value()), o.Reason),
				"the other alerts are stored; pushing again sends only what is missing")
		}
	}
	return nil
}

// maxLooks bounds the questions for the bans of the alerts of a push: each is a request.
const maxLooks = 50

// looks asks the LAPI for the decisions on the alerts that it took. Where it does not say,
// the alerts are stored all the same.
func (s scan) looks(ctx context.Context, outcomes []lapi.Outcome) map[string]lapi.Look {
	looks := map[string]lapi.Look{}
	for _, o := range outcomes {
		if o.Status != lapi.Pushed || len(looks) >= maxLooks {
			continue
		}
		look, err := s.client.Bans(ctx, o.ID, o.Alert.ID())
		if err != nil {
			return looks
		}
		looks[o.ID] = look
	}
	return looks
}
