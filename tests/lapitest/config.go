package lapitest

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	configFile       = "config.yaml"
	cscliCredentials = "local_api_credentials.yaml"
	socketName       = "lapi.sock"
)

// legacyProfiles is what CrowdSec 1.4 ships.
const legacyProfiles = `name: default_ip_remediation
filters:
  - Alert.Remediation == true && Alert.GetScope() == "Ip"
decisions:
  - type: ban
    duration: 4h
on_success: break
`

// DefaultProfiles is the profiles.yaml that a server gets when it is given
// none: the two that CrowdSec ships.
const DefaultProfiles = legacyProfiles + `---
name: default_range_remediation
filters:
  - Alert.Remediation == true && Alert.GetScope() == "Range"
decisions:
  - type: ban
    duration: 4h
on_success: break
`

// configText is config.yaml. What only one of the versions knows is ignored by
// the other.
const configText = `common: {daemonize: false, log_media: stdout, log_level: info}
config_paths:
  config_dir: %[1]q
  data_dir: %[2]q
  simulation_path: %[3]q
  hub_dir: %[4]q
  index_path: %[5]q
cscli: {output: human, color: "no"}
db_config: {type: sqlite, db_path: %[6]q, use_wal: true, flush: {max_items: 500000, max_age: 7d}}
api:
  client: {insecure_skip_verify: false, credentials_path: %[7]q}
  server:
    enable: true
    log_level: info
    listen_uri: %[8]q
    profiles_path: %[9]q
    console_path: %[10]q
    trusted_ips: [127.0.0.1, "::1"]
%[11]sprometheus: {enabled: false}
`

// writeConfig writes everything that crowdsec and cscli read, but for the
// credentials, into dir. It keeps a database that is there.
func writeConfig(dir, listen string, o Options) error {
	path := func(name ...string) string { return filepath.Join(append([]string{dir}, name...)...) }
	for _, d := range []string{path("data"), path("hub")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	registration := ""
	if o.AutoRegistration != "" {
		registration = fmt.Sprintf("    auto_registration: {enabled: true, token: %q, allowed_ranges: [127.0.0.0/8]}\n", o.AutoRegistration)
	}
	more := registration
	if o.Socket {
		more += fmt.Sprintf("    listen_socket: %q\n", path(socketName))
	}
	if o.TLS != nil {
		more += fmt.Sprintf("    tls: {cert_file: %q, key_file: %q, ca_cert_path: %q, client_verification: VerifyClientCertIfGiven, agents_allowed_ou: [%q]}\n",
			o.TLS.Cert, o.TLS.Key, o.TLS.CA, o.TLS.AgentOU)
	}
	config := fmt.Sprintf(configText, dir, path("data"), path("simulation.yaml"), path("hub"), path("hub", ".index.json"),
		path("data", "crowdsec.db"), path(cscliCredentials), listen, path("profiles.yaml"), path("console.yaml"), more)
	profiles := o.Profiles
	if profiles == "" {
		profiles = DefaultProfiles
	}
	for name, text := range map[string]string{
		configFile:        config,
		"profiles.yaml":   profiles,
		"simulation.yaml": "simulation: false\n",
		"console.yaml":    "",
		"hub/.index.json": "{}\n",
		cscliCredentials:  "",
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
