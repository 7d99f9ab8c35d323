package value

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
)

// Sum is the SHA-256 checksum of a value's content. Places do not count.
//
// The encoding, every part written one after the other:
//
//	null       00
//	boolean    01, then 00 or 01
//	integer    02, then eight bytes, big-endian, two's complement
//	number     03, then eight bytes, big-endian, IEEE 754
//	string     04, then its length as an unsigned varint, then its UTF-8 bytes
//	list, map  05, then the 32 bytes of its own sum
//	redacted   06, then the length of its fingerprint as an unsigned varint, then the fingerprint
//
// The sum of a list is SHA-256 over 4c ("L"), the number of items as an unsigned varint, and the encoded items. The sum of a
// map is SHA-256 over 4d ("M"), the number of members as an unsigned varint, and, in the byte order of the keys, each key's
// length as an unsigned varint, the key, and the encoded value. The sum of a scalar is SHA-256 over its encoding.
//
// So the checksum of a tree is a Merkle tree: a change needs only the collections above it to be hashed again.
type Sum [sha256.Size]byte

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Sum is the checksum of v's content.
func (v *Value) Sum() Sum {
	if v.coll != nil {
		return v.coll.sum
	}
	var small [64]byte
	return sha256.Sum256(appendEncoded(small[:0], v))
}

// sums are buffers to encode a collection in: hashing it in one call is faster than feeding a hash piece by piece.
var sums = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func sumOf(k Kind, entries []Entry) Sum {
	buf := sums.Get().(*[]byte)
	b := (*buf)[:0]
	if k == Map {
		b = append(b, 'M')
	} else {
		b = append(b, 'L')
	}
	b = binary.AppendUvarint(b, uint64(len(entries)))
	for i := range entries {
		if k == Map {
			b = appendString(b, entries[i].Key)
		}
		b = appendEncoded(b, entries[i].Value)
	}
	sum := sha256.Sum256(b)
	if cap(b) <= 1<<20 {
		*buf = b
		sums.Put(buf)
	}
	return sum
}

func appendEncoded(b []byte, v *Value) []byte {
	switch v.Kind() {
	case Null:
		return append(b, 0)
	case Bool:
		return append(b, 1, byte(v.bits))
	case Int:
		return binary.BigEndian.AppendUint64(append(b, 2), v.bits)
	case Float:
		return binary.BigEndian.AppendUint64(append(b, 3), v.bits)
	case String:
		return appendString(append(b, 4), v.str)
	case Redacted:
		return appendString(append(b, 6), v.str)
	default:
		return append(append(b, 5), v.coll.sum[:]...)
	}
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
