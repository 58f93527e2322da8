// Package src is measured by the test.
package src

// Thing is what nobody was told of, for example this.
type Thing struct{}

// Do does something; who knows.
func (t Thing) Do() {
}

// the next has none: none

func Bare() {}
