// Package config reads csmail's configuration file. The file is strict YAML: an unknown
// key is an error with file, line and a suggestion. For example, "guard.alow" is answered
// with "did you mean allow". Every key has a default, so an empty file works on a stock
// host.
//
// A file of the same name with .local after it is merged over it, and ${VARIABLES} are
// expanded, both as in CrowdSec. The struct tags yaml and doc describe each key once, for
// reading and for docs/configuration.md. The package sets nothing up and opens only these
// files.
package config

import "time"

// DefaultPath is the configuration file unless -c names another one.
const DefaultPath = "/etc/csmail/csmail.yaml"

// Config is the whole configuration. Without a file its defaults run. The doc
// tags are the text of docs/configuration.md.
type Config struct {
	LAPI       LAPI       `yaml:"lapi" doc:"CrowdSec's Local API."`
	Detect     bool       `yaml:"detect" doc:"false: follow no log and judge nobody, only enforce decisions: a bouncer beside CrowdSec's own agents. A change takes a restart."`
	Sources    []Source   `yaml:"sources" doc:"What csmail run follows, in the shape of CrowdSec's acquis.yaml. Default: the journal if it holds mail, else /var/log/mail.log or /var/log/maillog. Two sources that hold the same lines are an error: each line would count twice."`
	Scenarios  []string   `yaml:"scenarios" doc:"Scenario files or folders of CrowdSec's format, or the sets that csmail brings along: balanced, strict."`
	State      string     `yaml:"state" doc:"The file in which csmail run keeps what it knows and what it has yet to send. A change takes a restart."`
	Socket     string     `yaml:"socket" doc:"The control socket of csmail run, through which csmail status, why, held, outbox and unban ask it. A change takes a restart."`
	Guard      Guard      `yaml:"guard" doc:"Who is never banned."`
	Bouncer    Bouncer    `yaml:"bouncer" doc:"How CrowdSec's decisions are followed. A change takes a restart."`
	Enforce    Enforce    `yaml:"enforce" doc:"Where and how they are enforced (docs/enforcement.md). A change of listen, key or report takes a restart."`
	Cluster    Cluster    `yaml:"cluster" doc:"Many hosts counted as one, over NATS JetStream (docs/cluster.md)."`
	History    Duration   `yaml:"history" doc:"How long csmail remembers the alerts that it delivered."`
	LogLevel   string     `yaml:"log_level" doc:"debug, info, warn or error; csmail run logs to stderr in a form that journald reads."`
	Geo        Geo        `yaml:"geo" doc:"Files that know country and network operator of an address. Default: those that CrowdSec keeps in /var/lib/crowdsec/data, if they are there."`
	Report     Report     `yaml:"report" doc:"The daily report (csmail report)."`
	Prometheus Prometheus `yaml:"prometheus" doc:"Metrics of csmail run, and /healthz. A change takes a restart."`
}

// LAPI describes the way to CrowdSec's Local API and the form of alerts.
type LAPI struct {
	Credentials       string   `yaml:"credentials" doc:"The file that cscli machines add wrote: url, login and password, or cert_path, key_path and ca_cert_path. An url that begins with / is a unix socket."`
	RegistrationToken string   `yaml:"registration_token" secret:"true" doc:"With a token of the LAPI's auto_registration csmail run registers itself and writes the credentials file, if that is missing. Needs url, and credentials at a place that csmail may write: /var/lib/csmail/lapi_credentials.yaml with csmail.service."`
	URL               string   `yaml:"url" doc:"Only to register with registration_token: where the LAPI is."`
	BouncerKey        string   `yaml:"bouncer_key" secret:"true" doc:"An old name of bouncer.api_key."`
	Decisions         string   `yaml:"decisions" doc:"profiles: alerts without decisions, so that profiles.yaml, allowlists and notifications of the LAPI apply. explicit: each alert brings its ban, of the length of duration; allowlists are asked first."`
	Duration          Duration `yaml:"duration" doc:"How long an explicit ban lasts. With more than the LAPI's flush.max_age (7d) it is renewed in time."`
	Simulate          bool     `yaml:"simulate" doc:"A dry run: alerts are stored as simulated, cscli shows (simul)ban, no bouncer gets them."`
	SimulateUntil     string   `yaml:"simulate_until" doc:"Simulate until this time, like 2026-11-30T06:00:00Z, and ban from then on. csmail setup sets it to a day ahead."`
	ShareAccounts     bool     `yaml:"share_accounts" doc:"Send alerts on accounts. They carry the login name, and the LAPI may pass alerts on to CrowdSec's central API."`
}

// Simulates reports whether an alert that is made now is only simulated.
func (l LAPI) Simulates(now time.Time) bool {
	if l.Simulate {
		return true
	}
	until, err := time.Parse(time.RFC3339, l.SimulateUntil)
	return err == nil && now.Before(until)
}

// Source is one source of log lines.
type Source struct {
	Source           string            `yaml:"source" doc:"file, journalctl, syslog or stdin."`
	Filenames        []string          `yaml:"filenames" doc:"Files to follow; globs are allowed, and files that appear later are taken."`
	Filename         string            `yaml:"filename" doc:"One file more, as acquis.yaml has it."`
	JournalctlFilter []string          `yaml:"journalctl_filter" doc:"What journalctl is asked for. Default SYSLOG_FACILITY=2, which is mail; with sshd and PAM it is [SYSLOG_FACILITY=2, SYSLOG_FACILITY=10]."`
	ListenAddr       string            `yaml:"listen_addr" doc:"The address on which syslog lines are taken."`
	ListenPort       int               `yaml:"listen_port" doc:"The port on which syslog lines are taken."`
	Protocol         string            `yaml:"protocol" doc:"udp or tcp (octet counting and newlines)."`
	Path             string            `yaml:"path" doc:"A unix socket on which syslog lines are taken, instead of address and port."`
	Timezone         string            `yaml:"timezone" doc:"The zone of lines that name none, like Europe/Berlin. Default the host's."`
	Envelope         string            `yaml:"envelope" doc:"docker: the lines of this source may be the messages of other lines, as the syslog and journald drivers of Docker log them, and are taken out. Only for a log into which nobody else writes what he was sent: docs/inputs.md."`
	Trusted          []string          `yaml:"trusted" doc:"Writers of journal entries that are believed besides root and the mail daemons: _UID=5000, _SYSTEMD_UNIT=mail.service, _EXE=/usr/bin/conmon, or all. docs/inputs.md says who is believed."`
	Labels           map[string]string `yaml:"labels" doc:"Taken as acquis.yaml has them, and of no account."`
}

// Guard lists addresses that are never banned, and holds the limits of the guard's rules.
type Guard struct {
	Allow         []Network `yaml:"allow" doc:"Addresses and networks that are never banned."`
	Relays        []Network `yaml:"relays" doc:"The same for hosts that bring us other people's mail: backup MX, forwarders, webmail."`
	AllowNames    []string  `yaml:"allow_names" doc:"Host names whose addresses are never banned or refused, such as that of an office with dynamic DNS. They are looked up once a minute; while that fails, the last answer holds for a week."`
	ProviderNames []string  `yaml:"provider_names" doc:"Domains whose hosts, by a verified name, are never banned for what honest hosts do too: provider.example stands for all hosts below it."`

	LoginProves     Duration `yaml:"login_proves" doc:"How long a login proves its source."`
	MailDays        int      `yaml:"mail_days" doc:"On how many of the last 30 days mail must have been taken from a source to prove it."`
	StalePerHour    int      `yaml:"stale_per_hour" doc:"Failures an hour on one account that a proven source may have."`
	UnnamedPerHour  int      `yaml:"unnamed_per_hour" doc:"Failures an hour without a user name in the log that a login of the source outweighs."`
	SprayedAccounts int      `yaml:"sprayed_accounts" doc:"From how many accounts on no outage excuses a source."`
	SharedAccounts  int      `yaml:"shared_accounts" doc:"From how many accounts that log in from an address, for a day or longer, a person decides about its ban."`
	Typing          int      `yaml:"typing" doc:"How many failures on one account somebody new may have before the guard no longer waits for the right password."`
	TypingTime      Duration `yaml:"typing_time" doc:"How long it waits."`
	FirstContact    Duration `yaml:"first_contact" doc:"How long the guard waits for a login of somebody whom it saw for the first time just then."`
	ResolverQuiet   Duration `yaml:"resolver_quiet" doc:"The longest time without a client with a verified name for which the resolver counts as working."`
	ListQuiet       Duration `yaml:"list_quiet" doc:"The longest time without mail of others for which block lists count as working."`
	FaultLasts      Duration `yaml:"fault_lasts" doc:"For how long at least a fault of this server excuses clients."`
	FaultSilence    Duration `yaml:"fault_silence" doc:"How long it holds while nobody gets in."`
	VisitsPerHour   int      `yaml:"visits_per_hour" doc:"From how many empty visits an hour on they count by themselves."`
	BansPerHour     int      `yaml:"bans_per_hour" doc:"More bans an hour are held for a person to look at."`
	GoodShare       int      `yaml:"good_share" doc:"Percent of the clients that got in on a day that may be banned on that day; one may be in any case."`
}

// Geo names MaxMind DB files.
type Geo struct {
	Country string `yaml:"country" doc:"A country or city file, like GeoLite2-City.mmdb."`
	ASN     string `yaml:"asn" doc:"An ASN file, like GeoLite2-ASN.mmdb."`
}

// Report describes the delivery of the daily report.
type Report struct {
	Enabled        bool       `yaml:"enabled" doc:"csmail run gathers the report of each day, for csmail report and for /report beside the metrics. Without it csmail report reads the logs."`
	ListenAnywhere bool       `yaml:"listen_anywhere" doc:"Serve /report also where prometheus.listen_addr is no loopback address. It names accounts and mail addresses, and asks for no password."`
	Mail           ReportMail `yaml:"mail" doc:"How csmail report --mail sends."`
}

// ReportMail is the way of a report by mail.
type ReportMail struct {
	To       []string `yaml:"to" doc:"Who gets the report of csmail report --mail -."`
	From     string   `yaml:"from" doc:"The sender. Default csmail@ and the host's name."`
	SMTP     string   `yaml:"smtp" doc:"The mail server, like localhost:25. Default: /usr/sbin/sendmail is used."`
	TLS      string   `yaml:"tls" doc:"required or none. Default: TLS where the server offers it. With required and port 465 TLS from the first byte."`
	Username string   `yaml:"username" doc:"The login at the mail server, if it wants one."`
	Password string   `yaml:"password" secret:"true" doc:"Its password."`
}

// Prometheus is the address of the metrics.
type Prometheus struct {
	Enabled    bool   `yaml:"enabled" doc:"Serve /metrics and /healthz."`
	ListenAddr string `yaml:"listen_addr" doc:"The address to serve on."`
	ListenPort int    `yaml:"listen_port" doc:"The port to serve on."`
}

// The values of LAPI.Decisions.
const (
	DecisionsByProfiles = "profiles"
	DecisionsExplicit   = "explicit"
)

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		LAPI: LAPI{
			Credentials: "/etc/csmail/lapi_credentials.yaml",
			Decisions:   DecisionsByProfiles,
			Duration:    Duration(4 * time.Hour),
		},
		Detect:    true,
		Scenarios: []string{"balanced"},
		State:     "/var/lib/csmail/csmail.db",
		Socket:    "/run/csmail/csmail.sock",
		Guard: Guard{
			LoginProves: Duration(14 * 24 * time.Hour), MailDays: 3, StalePerHour: 10, UnnamedPerHour: 120, SprayedAccounts: 10, SharedAccounts: 10,
			Typing: 5, TypingTime: Duration(5 * time.Minute), FirstContact: Duration(time.Minute),
			ResolverQuiet: Duration(30 * time.Minute), ListQuiet: Duration(2 * time.Hour),
			FaultLasts: Duration(2 * time.Minute), FaultSilence: Duration(30 * time.Minute),
			VisitsPerHour: 600, BansPerHour: 2000, GoodShare: 2,
		},
		Bouncer:  defaultBouncer(),
		Enforce:  defaultEnforce(),
		Cluster:  defaultCluster(),
		History:  Duration(30 * 24 * time.Hour),
		LogLevel: "info",
		Report:   Report{Enabled: true, Mail: ReportMail{To: []string{"root"}}},
		Prometheus: Prometheus{
			ListenAddr: "127.0.0.1",
			ListenPort: 60602,
		},
	}
}
