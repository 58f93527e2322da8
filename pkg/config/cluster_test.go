package config

import (
	"strings"
	"testing"
)

func TestCluster(t *testing.T) {
	const judge = "cluster: {role: judge, servers: ['nats://a:4222'], judges: [j], edges: [mx]}\n"
	for name, tt := range map[string]struct{ text, want string }{
		"alone":            {"", ""},
		"a judge":          {judge, ""},
		"an edge":          {"cluster: {role: edge, servers: ['nats://a:4222'], judges: [j]}\n", ""},
		"both":             {"cluster: {role: 'edge, judge', servers: ['nats://a:4222'], judges: [j], edges: [j]}\n", ""},
		"another role":     {"cluster: {role: leader}\n", `cluster.role "leader"`},
		"no servers":       {"cluster: {role: edge, judges: [j]}\n", "cluster.servers"},
		"no judges":        {"cluster: {role: edge, servers: ['nats://a:4222']}\n", "cluster.judges"},
		"no edges":         {"cluster: {role: judge, servers: ['nats://a:4222'], judges: [j]}\n", "cluster.edges"},
		"a bouncer alone":  {judge + "detect: false\nbouncer: {api_key: x}\n", "detect is false"},
		"names":            {judge + "guard: {allow_names: [home.example.org]}\n", "guard.allow_names"},
		"no size":          {strings.Replace(judge, "role", "buffer: 5, role", 1), "cluster.buffer"},
		"impatient":        {strings.Replace(judge, "role", "late: 1s, role", 1), "cluster.late"},
		"too many servers": {strings.Replace(judge, "role", "replicas: 7, role", 1), "cluster.replicas"},
		"sites":            {strings.Replace(judge, "role", "sites: {paris: [mx]}, role", 1), ""},
		"a strange site":   {strings.Replace(judge, "role", "sites: {paris: [mx7]}, role", 1), "cluster.sites: mx7 in paris"},
		"in two sites":     {strings.Replace(judge, "role", "sites: {paris: [mx], rome: [mx]}, role", 1), "cluster.sites: mx is in paris and in rome"},
		"every minute":     {strings.Replace(judge, "role", "every: 2m, role", 1), "cluster.every"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.text, "")
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	for text, want := range map[string]int64{"1GiB": 1 << 30, "512 MiB": 512 << 20, "8KiB": 8 << 10} {
		if got := (Cluster{Buffer: text}).BufferBytes(); got != want {
			t.Errorf("%s: got %d bytes, want %d", text, got, want)
		}
	}
}
