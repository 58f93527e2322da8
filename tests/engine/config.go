package engine

import (
	"fmt"
	"os"
	"path/filepath"
)

// configText is config.yaml: an agent with a state of its own, and no more.
const configText = `common: {log_media: stdout, log_level: warning}
config_paths:
  config_dir: %[1]q
  data_dir: %[2]q
  simulation_path: %[3]q
  hub_dir: %[4]q
  index_path: %[5]q
  pattern_dir: %[6]q
crowdsec_service:
  acquisition_path: %[7]q
  parser_routines: 1
  buckets_routines: 1
  output_routines: 1
cscli: {output: raw}
db_config: {type: sqlite, db_path: %[8]q}
api: {client: {credentials_path: %[9]q}}
prometheus: {enabled: false}
`

// write puts the setup's configuration, parsers, scenarios and data into dir.
func (s Setup) write(dir, lapi string) error {
	path := func(name ...string) string { return filepath.Join(append([]string{dir}, name...)...) }
	files := map[string][]byte{
		"config.yaml": fmt.Appendf(nil, configText, dir, path("data"), path("simulation.yaml"), path("hub"),
			path("hub", ".index.json"), path("patterns"), path("acquis.yaml"), path("data", "crowdsec.db"), path("credentials.yaml")),
		"credentials.yaml": fmt.Appendf(nil, "url: %q\nlogin: test\npassword: test\n", lapi),
		"simulation.yaml":  []byte("simulation: false\n"),
		"acquis.yaml":      nil,
		"hub/.index.json":  []byte("{}\n"),
	}
	for name, text := range s.Scenarios {
		files[filepath.Join("scenarios", name)] = text
	}
	for name, text := range s.Data {
		files[filepath.Join("data", name)] = text
	}
	for stage, paths := range s.Parsers {
		for _, from := range paths {
			text, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			files[filepath.Join("parsers", stage, filepath.Base(from))] = text
		}
	}
	if err := os.MkdirAll(path("data"), 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path(name), text, 0o600); err != nil {
			return err
		}
	}
	return os.CopyFS(path("patterns"), os.DirFS(s.Patterns))
}
