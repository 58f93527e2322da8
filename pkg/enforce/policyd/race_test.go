//go:build race

package policyd

// idleConnections is fewer than without the race detector, which has room for 8,128 goroutines.
const idleConnections = 3000
