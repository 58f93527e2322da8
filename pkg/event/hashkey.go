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
func (k HashKey) Sum(text string) uint64 { return sipHash(k.low(), k.high(), text) }

// SumBytes is Sum of the same bytes.
func (k HashKey) SumBytes(text []byte) uint64 { return sipHash(k.low(), k.high(), text) }

func (k *HashKey) low() uint64  { return binary.LittleEndian.Uint64(k[:8]) }
func (k *HashKey) high() uint64 { return binary.LittleEndian.Uint64(k[8:]) }

// digest returns a number that differs for different keys. It is never 0.
func (k *HashKey) digest() uint64 {
	return (k.low() ^ bits.RotateLeft64(k.high(), 1)) | 1
}

// AccountHash is an [Account] in 16 bytes. The zero AccountHash is no name.
type AccountHash struct{ Name, Domain uint64 }

// Account returns the hash of the account that a login name stands for.
func (k HashKey) Account(login string) AccountHash {
	if login == "" {
		return AccountHash{}
	}
	account, _ := k.login(login)
	return account
}

// login returns the hashes of the account and of the whole name, folded. Where they are
// the same text it is hashed once.
func (k *HashKey) login(name string) (account AccountHash, whole uint64) {
	name = FoldLogin(name)
	a := accountOfFolded(name)
	whole = k.Sum(name)
	if a.Name == name {
		return AccountHash{Name: max(whole, 1)}, whole
	}
	account.Name = max(k.Sum(a.Name), 1)
	if a.Domain != "" {
		account.Domain = max(k.Sum(a.Domain), 1)
	}
	return account, whole
}

// Is reports whether both may be the same account, by the rule of [Account.Is].
func (a AccountHash) Is(b AccountHash) bool {
	return a.Name == b.Name && (a.Domain == b.Domain || a.Domain == 0 || b.Domain == 0)
}

// IsZero reports whether it is the hash of no name.
func (a AccountHash) IsZero() bool { return a == AccountHash{} }

// Sum returns both halves as one number; 0 for no name.
func (a AccountHash) Sum() uint64 { return a.Name ^ bits.RotateLeft64(a.Domain, 32) }

// sipHash keeps its state in registers, which takes two thirds of the time of a state in
// memory.
func sipHash[T string | []byte](k0, k1 uint64, text T) uint64 {
	v0, v1, v2, v3 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d, k0^0x6c7967656e657261, k1^0x7465646279746573
	rest := text
	for len(rest) >= 8 {
		word := uint64(rest[0]) | uint64(rest[1])<<8 | uint64(rest[2])<<16 | uint64(rest[3])<<24 |
			uint64(rest[4])<<32 | uint64(rest[5])<<40 | uint64(rest[6])<<48 | uint64(rest[7])<<56
		v3 ^= word
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= word
		rest = rest[8:]
	}
	last := uint64(len(text)) << 56
	for i := range len(rest) {
		last |= uint64(rest[i]) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xff
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v1
	v0 += v3
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}
