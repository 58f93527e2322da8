//go:build !linux

package replay

// wishHugePages does nothing where programs cannot ask for huge pages.
func wishHugePages([]byte) {}
