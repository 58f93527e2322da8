//go:build !race

package policyd

// idleConnections is how many connections that ask nothing are tried.
const idleConnections = 10_000
