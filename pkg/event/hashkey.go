package event

import (
	"encoding/binary"
	"math/bits"
)

// HashKey is the secret of an installation that goes into the hashes of texts that
// clients choose. An attacker who could compute these hashes could choose names that
// collide, to slow a table down or to pass for another account. So each installation
// draws its own key at random, and its snapshots keep it. Findings are the same under
// every key. The zero HashKey is for tests.
type HashKey [16]byte

// Sum returns the hash of a text: SipHash-2-4 (Aumasson and Bernstein, 2012).
func (k HashKey) Sum(text string) uint64 { return sipHash(&k, text) }

// SumBytes is Sum of the same bytes.
func (k HashKey) SumBytes(text []byte) uint64 { return sipHash(&k, text) }

// digest returns a number that differs for different keys. It is never 0.
func (k *HashKey) digest() uint64 {
	return (binary.LittleEndian.Uint64(k[:8]) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(k[8:]), 1)) | 1
}

// AccountHash is an [Account] in 16 bytes. The zero AccountHash is no name.
type AccountHash struct{ Name, Domain uint64 }

// Account returns the hash of the account that a login name stands for.
func (k HashKey) Account(login string) AccountHash {
	if login == "" {
		return AccountHash{}
	}
	a := AccountOf(login)
	hash := AccountHash{Name: max(k.Sum(a.Name), 1)}
	if a.Domain != "" {
		hash.Domain = max(k.Sum(a.Domain), 1)
	}
	return hash
}

// Is reports whether both may be the same account, by the rule of [Account.Is].
func (a AccountHash) Is(b AccountHash) bool {
	return a.Name == b.Name && (a.Domain == b.Domain || a.Domain == 0 || b.Domain == 0)
}

// IsZero reports whether it is the hash of no name.
func (a AccountHash) IsZero() bool { return a == AccountHash{} }

// Sum returns both halves as one number; 0 for no name.
func (a AccountHash) Sum() uint64 { return a.Name ^ bits.RotateLeft64(a.Domain, 32) }

func sipHash[T string | []byte](k *HashKey, text T) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:])
	s := sipState{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	rest := text
	for len(rest) >= 8 {
		s.compress(uint64(rest[0]) | uint64(rest[1])<<8 | uint64(rest[2])<<16 | uint64(rest[3])<<24 |
			uint64(rest[4])<<32 | uint64(rest[5])<<40 | uint64(rest[6])<<48 | uint64(rest[7])<<56)
		rest = rest[8:]
	}
	last := uint64(len(text)) << 56
	for i := range len(rest) {
		last |= uint64(rest[i]) << (8 * i)
	}
	s.compress(last)
	s.v2 ^= 0xff
	for range 4 {
		s.round()
	}
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

type sipState struct{ v0, v1, v2, v3 uint64 }

func (s *sipState) compress(word uint64) {
	s.v3 ^= word
	s.round()
	s.round()
	s.v0 ^= word
}

func (s *sipState) round() {
	s.v0 += s.v1
	s.v2 += s.v3
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v1
	s.v0 += s.v3
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 = bits.RotateLeft64(s.v2, 32)
}
