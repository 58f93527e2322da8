package daily_test

import (
	"fmt"

	"csmail/pkg/report/daily"
)

// The addresses differ from client to client, and the reason is one.
func ExampleReason() {
	fmt.Println(daily.Reason("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example; https://zen.example/192.0.2.1", false))
	// Output: blocked using zen.example
}
