// Package setup connects an installed csmail with the host: it registers csmail
// at CrowdSec's Local API, gives it the rights to read the log, takes the hub's
// own mail collections out of the agent's way, and starts the service.
//
// The problem: these are a dozen commands of four programs, and a forgotten one
// shows only as bans that never come. The mechanism: Plan looks at the host and
// returns the steps that are missing, each with the commands and files that it
// would change; Apply takes one of them and writes down how to undo it. On a host
// where all is done the plan is empty, so running it twice changes nothing.
//
// The package speaks to cscli, systemctl, postconf and doveconf by their command
// lines and changes no file but csmail's own and those that a step names.
package setup

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"csmail/pkg/hint"
)

// Host is the machine; tests use one of their own.
type Host interface {
	// Run runs a program and returns its stdout. The error of a program that failed holds
	// its stderr.
	Run(ctx context.Context, name string, args ...string) (string, error)
	// Has reports whether a program is installed.
	Has(name string) bool
	// ReadFile returns a file's content, or an error that is fs.ErrNotExist.
	ReadFile(path string) ([]byte, error)
	// WriteFile replaces a file whole, with mode and owner "user:group" ("" leaves
	// it to the caller of csmail).
	WriteFile(path string, content []byte, mode fs.FileMode, owner string) error
	// Remove removes a file; one that is not there is no error.
	Remove(path string) error
	// Unregister has the LAPI forget the machine of a credentials file. It is no error if
	// the file is not there or the LAPI does not know the machine.
	Unregister(ctx context.Context, credentials string) error
	// IsDir reports whether a folder is there.
	IsDir(path string) bool
}

// The files that setup makes.
const (
	CredentialsPath = "/etc/csmail/lapi_credentials.yaml"
	LocalPath       = "/etc/csmail/csmail.yaml.local"
	// UndoPath is where setup notes how it is undone. root runs the commands in it,
	// so it lies where the user of csmail run cannot write, not in /var/lib/csmail.
	UndoPath = "/etc/csmail/setup-undo.json"
)

// serviceUser is the user that csmail run runs as.
const serviceUser = "csmail"

// Options are the administrator's choices.
type Options struct {
	Live     bool          // ban from the first minute, without a day of simulation
	Simulate time.Duration // how long alerts are only simulated, unless Live
	KeepHub  bool          // leave the hub's mail collections in the agent

	// LAPI and Token are for a LAPI on another host: its URL, and the token of its
	// auto_registration.
	LAPI, Token string

	Enforce    bool   // have Postfix and Dovecot ask csmail
	Doors      Doors  // where csmail listens, with Enforce
	BouncerKey string // of a LAPI on another host, with Enforce

	Now time.Time
}

// Step is one thing that is missing.
type Step struct {
	Title string   // its effect, for example "register at the Local API"
	Why   string   // a sentence for the administrator
	Do    []Action // in this order
	Undo  []Action // in this order

	// Saves are files that a program changes, such as postconf main.cf. The undo puts them
	// back byte for byte, or, if they have been changed since, takes the actions Instead.
	Saves   []string
	Instead []Action
	// Whole means that a step that fails in the middle is taken back at once.
	Whole bool
	// Enforce marks the steps of --enforce. They can be undone separately.
	Enforce bool
}

// Action is one command, or one file written or removed.
type Action struct {
	Run []string `json:"run,omitempty"` // a command line

	Write   string `json:"write,omitempty"` // the path of a file
	Content string `json:"content,omitempty"`
	Mode    uint32 `json:"mode,omitempty"`
	Owner   string `json:"owner,omitempty"`
	Secret  bool   `json:"-"` // the content is not shown

	Remove string `json:"remove,omitempty"` // the path of a file

	// Wrote is the text that setup wrote into the file, for an undo: a file that has been
	// changed since stays.
	Wrote string `json:"wrote,omitempty"`

	// Fill is a word in the later actions that stands for the output of the command, for
	// example a key that cscli makes.
	Fill string `json:"-"`

	// Restore puts files back, in an undo; Instead is for files that were changed since.
	Restore []Saved  `json:"restore,omitempty"`
	Instead []Action `json:"instead,omitempty"`

	// Unregister is a credentials file. The LAPI forgets its machine, and the file goes with it.
	Unregister string `json:"unregister,omitempty"`

	// Forget is a setting of main.cf; Word is taken out of it.
	Forget string `json:"forget,omitempty"`
	Word   string `json:"word,omitempty"`

	Optional bool `json:"optional,omitempty"` // a failure is reported and does not end the step
}

// String shows an action as the administrator would type it.
func (a Action) String() string {
	switch {
	case len(a.Run) > 0:
		words := make([]string, len(a.Run))
		for i, word := range a.Run {
			words[i] = shellWord(word)
		}
		return strings.Join(words, " ")
	case a.Write != "":
		return "write " + a.Write
	case len(a.Restore) > 0:
		paths := make([]string, len(a.Restore))
		for i, s := range a.Restore {
			paths[i] = s.Path
		}
		return "put back " + strings.Join(paths, " and ")
	case a.Unregister != "":
		return "have the Local API forget this machine, and remove " + a.Unregister
	case a.Forget != "":
		return "take csmail out of " + a.Forget
	}
	return "remove " + a.Remove
}

// Lines are the lines of a file that an action writes, for the administrator to
// see; none of a secret.
func (a Action) Lines() []string {
	if a.Write == "" || a.Secret {
		return nil
	}
	return strings.Split(strings.TrimRight(a.Content, "\n"), "\n")
}

func shellWord(word string) string {
	if word != "" && strings.IndexFunc(word, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("@%+=:,./_-", c))
	}) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Plan returns the steps that are missing on this host, in their order.
func Plan(ctx context.Context, host Host, o Options) ([]Step, error) {
	if !host.IsDir("/etc/csmail") {
		return nil, hint.Wrap(errors.New("csmail is not installed: there is no /etc/csmail"), "install the package, or: sudo make install")
	}
	p := planner{ctx: ctx, host: host, options: o}
	for _, plan := range []func() error{p.account, p.logs, p.simulation, p.token, p.configuration, p.bouncer, p.machine, p.hub, p.service, p.enforcement} {
		if err := plan(); err != nil {
			return nil, err
		}
	}
	return p.steps, nil
}

// planner gathers steps.
type planner struct {
	ctx     context.Context
	host    Host
	options Options
	steps   []Step
	local   localFile // the new content of csmail.yaml.local
}

func (p *planner) add(s Step) { p.steps = append(p.steps, s) }
