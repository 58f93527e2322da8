package tests

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"csmail/pkg/config"
)

const configurationHead = `# Configuration

One file, ` + "`/etc/csmail/csmail.yaml`" + ` or the one after ` + "`-c`" + `. A key that csmail does not know is an error. A file with ` + "`.local`" + ` behind
its name is laid over it: scalars and lists replace, maps add. ` + "`${VARIABLE}`" + ` stands for a variable of the environment that is set.
` + "`csmail run -t`" + ` checks the file, and that the logs and the LAPI can be reached (` + "`--offline`" + `: not that), ` + "`csmail run -T`" + ` prints what it comes to. Durations are written 90s, 4h, 7d, 1d12h; networks 192.0.2.1,
192.0.2.0/24, 2001:db8::/32. This page is generated from pkg/config (go test ./tests -update).

| key | form | default | meaning |
|---|---|---|---|
`

func TestConfigurationDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString(configurationHead)
	for _, k := range config.Keys() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Path, k.Form, code(k.Default), strings.ReplaceAll(k.Meaning, "|", `\|`))
	}
	checkDocument(t, "../docs/configuration.md", b.String())
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// checkDocument compares a generated page with the one in the repository.
func checkDocument(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is stale (%v); go test ./tests -update writes it", path, err)
	}
}

// The file that is shipped holds every key, with its default.
func TestShippedConfiguration(t *testing.T) {
	c, err := config.Load("../config/csmail.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(c), fmt.Sprint(config.Default()); got != want {
		t.Errorf("the shipped file says\n%s\nand the defaults are\n%s", got, want)
	}
	text, err := os.ReadFile("../config/csmail.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range config.Keys() {
		name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		if name != "filename" && name != "labels" && !strings.Contains(string(text), name+":") {
			t.Errorf("the shipped file does not show %s", k.Path)
		}
	}
	for _, set := range []string{"balanced", "strict"} {
		c, err := config.Load("../config/" + set + ".yaml")
		if err != nil || !reflect.DeepEqual(c.Scenarios, []string{set}) {
			t.Errorf("config/%s.yaml: %v, %v", set, c.Scenarios, err)
		}
	}
}
