package check

import (
	"context"
	"io/fs"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/host"
	"csmail/pkg/scenario"
)

// Daemon is csmail run, as [control.Client] asks it.
type Daemon interface {
	Status(ctx context.Context) (control.Status, error)
}

// Programs are the programs of this host, as csmail setup runs them.
type Programs interface {
	// Run returns the stdout of a program.
	Run(ctx context.Context, name string, args ...string) (string, error)
	// Has reports whether a program is installed.
	Has(name string) bool
}

// File describes a file, without its content.
type File struct {
	Mode         fs.FileMode
	Owner, Group string
}

// Files looks at files.
type Files interface {
	// Stat returns an error that is [fs.ErrNotExist] for a file that is not there.
	Stat(path string) (File, error)
	// Free returns the bytes that are free on the disk of a file.
	Free(path string) (uint64, error)
}

// Inputs are the probes' interfaces to the host. Each function is called at most once in
// each run of the probes, from a goroutine of its own.
type Inputs struct {
	Config  config.Config
	Version string
	Now     func() time.Time

	// Logs tries to read each log and returns the errors (ingest.Probe).
	Logs func(context.Context) []error
	// LAPI logs in as csmail and returns the machine and its LAPI, and by how much the
	// LAPI's clock is ahead of this host's.
	LAPI func(context.Context) (who string, ahead time.Duration, err error)
	// Key tries the bouncer's key.
	Key func(context.Context) error
	// Scenarios loads the scenarios that the configuration names.
	Scenarios func() (*scenario.Set, error)
	// Mail asks postconf(1) and doveconf(1).
	Mail func(context.Context) (host.MailSettings, error)

	// Cluster asks the servers of the cluster.
	Cluster func(context.Context) (cluster.View, error)
	// ServerSyncs reports whether the nats-server of this host writes what it acknowledges;
	// the error is [ErrNoMonitor] if there is none.
	ServerSyncs func(context.Context) (bool, error)

	Daemon   Daemon
	Programs Programs
	Files    Files
}
