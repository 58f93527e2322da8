package event_test

import (
	"fmt"
	"net/netip"

	"csmail/pkg/event"
)

// Scenarios count the accounts that a client tries, however it writes them.
func ExampleAccountOf() {
	fmt.Println(event.AccountOf("Alice@Example.ORG") == event.AccountOf("alice@example.org"))
	// Output: true
}

// IPv6 clients count by their /64, since privacy addresses change within it.
func ExampleBlockOf() {
	one, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::abcd:1")
	fmt.Println(event.BlockOf(one) == event.BlockOf(other))
	// Output: true
}

// Daemons print an IPv4 client of an IPv6 socket as a mapped address.
func ExampleParseAddr() {
	fmt.Println(event.ParseAddr("::ffff:192.0.2.7"))
	fmt.Println(event.ParseAddr("192.0.2.007"))
	// Output:
	// 192.0.2.7 true
	// invalid IP false
}
