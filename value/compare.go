package value

import (
	"cmp"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// resembles tells whether v has the content that is wanted: numbers compare by what they are worth, so 1 is 1.0, maps and lists
// member by member; nothing else equals what is of another kind. Where fold is set wanted is folded, and v's texts are for it.
func resembles(m *meter, v, wanted *Value, fold bool) truth {
	m.spend(1)
	switch k := v.Kind(); {
	case k == Redacted || m.spent():
		return unknown
	case v.number() && wanted.number():
		return is(compareNumbers(v, wanted) == 0)
	case k != wanted.Kind():
		return no
	case k == String && fold:
		return is(folded(m, v.str) == wanted.str)
	case k == String:
		m.text(wanted.str)
		return is(v.str == wanted.str)
	case k == List || k == Map:
		return membersResemble(m, v, wanted, fold)
	default:
		return is(v.bits == wanted.bits)
	}
}

func membersResemble(m *meter, v, wanted *Value, fold bool) truth {
	if v.Len() != wanted.Len() {
		return no
	}
	least := yes
	for i, e := range v.Entries() {
		other := wanted.Entries()[i]
		if e.Key != other.Key {
			return no
		}
		if least = min(least, resembles(m, e.Value, other.Value, fold)); least == no {
			break
		}
	}
	return least
}

func (v *Value) number() bool { return v.Kind() == Int || v.Kind() == Float }

// compareNumbers orders numbers by what they are worth, without loss: an integer of more than 53 bits is never made a float.
func compareNumbers(a, b *Value) int {
	switch {
	case a.Kind() == Int && b.Kind() == Int:
		return cmp.Compare(a.Int(), b.Int())
	case a.Kind() == Int:
		return compareIntFloat(a.Int(), b.Float())
	case b.Kind() == Int:
		return -compareIntFloat(b.Int(), a.Float())
	default:
		return cmp.Compare(a.Float(), b.Float())
	}
}

func compareIntFloat(i int64, f float64) int {
	const limit = 1 << 63 // the first float beyond the integers; its negative is the least of them
	switch whole := math.Trunc(f); {
	case f >= limit:
		return -1
	case f < -limit:
		return 1
	case i != int64(whole):
		return cmp.Compare(i, int64(whole))
	default:
		return cmp.Compare(whole, f)
	}
}

// folded is a text with each character put for all that differ from it in case alone, one by one (Unicode's simple folding, as in
// [strings.EqualFold]).
func folded(m *meter, s string) string {
	m.spend(len(s) / foldBytesPerStep)
	return strings.Map(foldRune, s)
}

func foldRune(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case r < utf8.RuneSelf:
		return r
	}
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return least
}

// foldedValue is v with all its texts folded; keys stay.
func foldedValue(v *Value) *Value {
	switch v.Kind() {
	case String:
		return NewString(folded(&meter{}, v.str), v.Place())
	case List, Map:
		entries := make([]Entry, v.Len())
		for i, e := range v.Entries() {
			entries[i] = Entry{e.Key, foldedValue(e.Value)}
		}
		return v.Place().collection(v.Kind(), entries)
	default:
		return v
	}
}
