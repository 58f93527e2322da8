// Command cluster measures what a cluster costs. First a judge on one core takes what a
// thousand mail hosts send in a minute, 130 facts a second each; beside it, in the same run,
// the engine alone takes the same facts. Then a judge that was away reads the same from a
// real NATS server and stores it, as csmail run does. Last it measures an idle cluster of
// ten hosts.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/merge"
	"csmail/pkg/wire"
)

func main() {
	o := options{}
	flag.StringVar(&o.csmail, "csmail", "bin/csmail", "the csmail binary")
	flag.StringVar(&o.nats, "nats", "tests/nats/bin/nats-server", "the nats-server binary")
	flag.IntVar(&o.edges, "edges", 1000, "hosts that send")
	flag.IntVar(&o.seconds, "seconds", 60, "how long they send")
	flag.IntVar(&o.rate, "rate", 130, "facts a second and host")
	flag.IntVar(&o.attackers, "attackers", 50_000, "addresses that the offences come from, 4,000,000 at most")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long the idle cluster is watched; 0: not at all")
	flag.BoolVar(&o.onlyIdle, "only-idle", false, "measure the idle cluster alone")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	csmail, nats         string
	edges, seconds, rate int
	attackers            int
	idle                 time.Duration
	onlyIdle             bool
}

func run(o options) error {
	if !o.onlyIdle {
		if err := pace(o); err != nil {
			return err
		}
		if err := catchUp(o); err != nil {
			return err
		}
	}
	if o.idle == 0 {
		return nil
	}
	return idle(o)
}

// newEngine returns an engine as a judge has it.
func newEngine() (*engine.Engine, error) {
	c := config.Default()
	set, err := detect.Load(c.Scenarios)
	if err != nil {
		return nil, err
	}
	return detect.Criteria{Guard: c.Guard, Set: set, Facts: detect.SharedFacts(c)}.Engine(), nil
}

// pace has a judge and the engine alone take the same, on one core.
func pace(o options) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	alone, err := newEngine()
	if err != nil {
		return err
	}
	full, err := newEngine()
	if err != nil {
		return err
	}
	hosts := newHosts(o)
	merger := merge.New(merge.Options{})
	merger.Expect(hosts.names)
	var facts int
	var judging, engineAlone time.Duration
	for range o.seconds {
		batches, stamp := hosts.second(), hosts.now
		for _, b := range batches {
			facts += b.facts
		}
		took, err := timed(func() error { return judge(full, merger, batches, stamp) })
		if err != nil {
			return err
		}
		judging += took
		decoded, err := decode(batches)
		if err != nil {
			return err
		}
		took, err = timed(func() error {
			for _, b := range decoded {
				for i := range b.Facts {
					alone.TakeFact(&b.Facts[i])
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		engineAlone += took
	}
	fmt.Printf("%d hosts, %d s, %d facts, %.0f a second\n", o.edges, o.seconds, facts, float64(facts)/float64(o.seconds))
	fmt.Printf("a judge (decode, merge, judge) on one core: %.1f s of processor time, %.2f us a fact, %.1f times the pace\n", judging.Seconds(), micros(judging, facts), float64(o.seconds)/judging.Seconds())
	fmt.Printf("the engine alone: %.1f s, %.2f us a fact; the judge takes %.2f times as long\n", engineAlone.Seconds(), micros(engineAlone, facts), judging.Seconds()/engineAlone.Seconds())
	return nil
}

func micros(d time.Duration, n int) float64 { return d.Seconds() * 1e6 / float64(n) }

// judge does what a judge does with messages of the stream.
func judge(e *engine.Engine, m *merge.Merger, batches []sent, stamp time.Time) error {
	for _, s := range batches {
		b, err := wire.ReadBatch(s.data)
		if err != nil {
			return err
		}
		if taken := m.Add(s.host, b, stamp); taken != merge.All {
			return fmt.Errorf("a batch of %s was not taken: %v", s.host, taken)
		}
		for f, _ := m.Next(); f != nil; f, _ = m.Next() {
			e.TakeFact(f)
		}
		if at := m.Watermark(); !at.IsZero() {
			e.JudgeUntil(at)
		}
	}
	return nil
}

func decode(batches []sent) ([]*wire.Batch, error) {
	var all []*wire.Batch
	for _, s := range batches {
		b, err := wire.ReadBatch(s.data)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// timed returns the processor time that f takes, with that of the garbage collector.
func timed(f func() error) (time.Duration, error) {
	before, err := processorTime()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := processorTime()
	return after - before, err
}

func processorTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

var errEnded = errors.New("it has ended: see its log")
