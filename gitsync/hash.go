package gitsync

import (
	"encoding/hex"
	"fmt"
)

// Hash names a Git object. The zero Hash names none.
type Hash [20]byte

// ParseHash reads 40 hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) {
		return Hash{}, fmt.Errorf("%.50q is no commit hash: it needs 40 hexadecimal digits", s)
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("%q is no commit hash: it needs 40 hexadecimal digits", s)
	}
	return h, nil
}

// String is the hash as 40 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short is the first 12 digits, for people.
func (h Hash) Short() string { return hex.EncodeToString(h[:6]) }

// IsZero tells whether h names no object.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText gives the 40 digits, and nothing for the zero Hash.
func (h Hash) MarshalText() ([]byte, error) {
	if h.IsZero() {
		return []byte{}, nil
	}
	return []byte(h.String()), nil
}

// UnmarshalText reads what MarshalText gives.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*h = Hash{}
		return nil
	}
	parsed, err := ParseHash(string(text))
	if err != nil {
		return err
	}
	*h = parsed
	return nil
}
