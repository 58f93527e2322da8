package wire_test

import (
	"fmt"

	"csmail/pkg/wire"
)

type span struct {
	from, to uint64
	host     string
}

// encode describes a span once, for writing and for reading.
func (s *span) encode(c *wire.Codec) {
	wire.Numbers(c, &s.from, &s.to)
	c.Text(&s.host)
}

func ExampleCodec() {
	writer := wire.Codec{}
	(&span{from: 3, to: 500, host: "mx1"}).encode(&writer)

	var back span
	reader := wire.Codec{B: writer.B, Reading: true}
	back.encode(&reader)
	fmt.Println(len(writer.B), back, reader.Err)
	// Output: 7 {3 500 mx1} <nil>
}
