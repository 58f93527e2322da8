package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
)

// withDictionary has the first block of an xz file ask for another dictionary. The
// block header of the library is 12 bytes: size, flags, filter, its size, its
// property, padding and checksum.
func withDictionary(t *testing.T, file []byte, property byte) []byte {
	t.Helper()
	header := bytes.Clone(file[12:24])
	if header[0] != 2 || header[1] != 0 || header[2] != 0x21 {
		t.Fatalf("block header % x", header)
	}
	header[4] = property
	binary.LittleEndian.PutUint32(header[8:], crc32.ChecksumIEEE(header[:8]))
	changed := bytes.Clone(file)
	copy(changed[12:], header)
	return changed
}

func TestXZDictionary(t *testing.T) {
	file := []byte(packed(t, "xz", strings.Repeat("Nov 24 03:00:00 mx test[1]: line\n", 100)))
	for property, want := range map[byte]uint64{0: 4096, 1: 6144, 22: 8 << 20, 28: 64 << 20, 30: 128 << 20, 31: 192 << 20, 40: 4 << 30} {
		changed := withDictionary(t, file, property)
		if got := xzDictionary(bufio.NewReader(bytes.NewReader(changed))); got != want {
			t.Errorf("property %d: %d bytes, want %d", property, got, want)
		}
		_, err := unpack(bytes.NewReader(changed))
		if refused := err != nil && strings.Contains(err.Error(), "it asks for"); refused != (want > maxWindow) {
			t.Errorf("property %d: %v, want %v", property, err, (want > maxWindow))
		}
	}
	for _, cut := range []int{6, 12, 13, 14, 16} {
		if got := xzDictionary(bufio.NewReader(bytes.NewReader(file[:cut]))); got != 0 {
			t.Errorf("cut to %d bytes: %d, want 0", cut, got)
		}
	}
}
