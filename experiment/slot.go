package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Slots is how many equal parts traffic is cut into: one is 0.01 %.
const Slots = 10_000

// Slot is the part of traffic that a unit belongs to under a salt, from 0 to 9,999:
//
//	H    = the first 8 bytes, big-endian, of SHA-256("v1" 00 salt 00 unit), all in UTF-8
//	slot = floor(H · 10000 / 2^64)
//
// It is the same in every language and every version. Neither salt nor unit may hold a NUL, and neither may be empty: then two
// different pairs never hash the same bytes.
func Slot(salt, unit string) int {
	var buffer [256]byte
	b := append(buffer[:0], 'v', '1', 0)
	b = append(b, salt...)
	b = append(b, 0)
	b = append(b, unit...)
	sum := sha256.Sum256(b)
	high, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), Slots)
	return int(high)
}
