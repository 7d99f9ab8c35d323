package value

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Size is an amount of data in bytes, written 512MB or 10MiB: at least none, and less than 8 EiB.
//
// Units are B; kB (also KB), MB, GB, TB, PB and EB, of 1000; KiB, MiB, GiB, TiB, PiB and EiB, of 1024 (IEC 80000-13). Case counts.
type Size int64

type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits stand from the largest to the smallest.
var sizeUnits = []sizeUnit{
	{"EiB", 1 << 60},
	{"EB", 1e18},
	{"PiB", 1 << 50},
	{"PB", 1e15},
	{"TiB", 1 << 40},
	{"TB", 1e12},
	{"GiB", 1 << 30},
	{"GB", 1e9},
	{"MiB", 1 << 20},
	{"MB", 1e6},
	{"KiB", 1 << 10},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// ParseSize reads a size: a decimal number and a unit, with at most one space between them. The number may have a fraction, but
// the size is a whole number of bytes: 1.5KiB are 1536 bytes, and 0.1KiB is an error.
func ParseSize(s string) (Size, error) {
	number, unit := splitSize(s)
	if number == "" {
		return 0, fmt.Errorf("%q is no size: it is a number with a unit, as 512MB or 10MiB", clipped(s))
	}
	for _, u := range sizeUnits {
		if u.name == unit {
			return u.times(number)
		}
	}
	return 0, fmt.Errorf("%q is no size: its unit is one of B, kB, MB, GB, TB, PB, EB, KiB, MiB, GiB, TiB, PiB, EiB", clipped(s))
}

// splitSize takes a size apart; the number is empty where there is none.
func splitSize(s string) (number, unit string) {
	unit = strings.TrimLeft(s, "0123456789.")
	number = s[:len(s)-len(unit)]
	whole, fraction, point := strings.Cut(number, ".")
	if whole == "" || point && fraction == "" || strings.Contains(fraction, ".") || len(number) > maxSizeDigits {
		return "", ""
	}
	return number, strings.TrimPrefix(unit, " ")
}

func (u sizeUnit) times(number string) (Size, error) {
	bytes, _ := new(big.Rat).SetString(number)
	bytes.Mul(bytes, new(big.Rat).SetInt64(u.bytes))
	switch {
	case !bytes.IsInt():
		return 0, fmt.Errorf("%s%s is no whole number of bytes", number, u.name)
	case !bytes.Num().IsInt64():
		return 0, fmt.Errorf("%s%s is not below 8 EiB", number, u.name)
	}
	return Size(bytes.Num().Int64()), nil
}

// String writes s exactly, in the largest unit that leaves no rest.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

// MarshalText writes s as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [ParseSize] does.
func (s *Size) UnmarshalText(text []byte) error {
	size, err := ParseSize(string(text))
	if err == nil {
		*s = size
	}
	return err
}
