package scenario_test

import (
	"fmt"
	"testing/fstest"

	"csmail/pkg/scenario"
)

// A fault names its file and line, and a likely correction.
func ExampleLoad() {
	files := fstest.MapFS{
		"bf.yaml": {Data: []byte(`type: leaky
name: me/bf
description: failed logins
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: 4
leakspeed: 1m
`)},
		"typo.yaml": {Data: []byte("type: leaky\nname: me/typo\ncapasity: 4\n")},
	}
	set, err := scenario.Load(files, "bf.yaml")
	fmt.Println(set.Scenarios()[0].Name, set.Scenarios()[0].LeakSpeed, err)
	_, err = scenario.Load(files, "typo.yaml")
	fmt.Println(err)
	// Output:
	// me/bf 1m0s <nil>
	// typo.yaml:3: unknown key "capasity"; did you mean "capacity"?
}
