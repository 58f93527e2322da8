package hint_test

import (
	"errors"
	"fmt"

	"csmail/pkg/hint"
)

func ExampleWrap() {
	err := fmt.Errorf("opening the state: %w",
		hint.Wrap(errors.New("permission denied"), "run it as %s", "root"))
	fmt.Println(err)
	fmt.Println(hint.Of(err))
	// Output:
	// opening the state: permission denied
	// run it as root
}

func ExampleDidYouMean() {
	fmt.Println("unknown key capasity" + hint.DidYouMean("capasity", []string{"capacity", "leakspeed"}))
	// Output: unknown key capasity; did you mean "capacity"?
}
