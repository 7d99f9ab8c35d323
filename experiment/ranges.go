package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Range is slots that follow each other, both ends included.
type Range struct{ First, Last int }

// String writes the range as files do: 0-1999.
func (r Range) String() string { return strconv.Itoa(r.First) + "-" + strconv.Itoa(r.Last) }

// Ranges are slots: ranges in ascending order that neither overlap nor touch.
type Ranges []Range

// ParseRange reads a range as files write it: 0-1999.
func ParseRange(s string) (Range, error) {
	first, last, _ := strings.Cut(s, "-")
	a, errFirst := strconv.Atoi(first)
	b, errLast := strconv.Atoi(last)
	r := Range{a, b}
	switch {
	case errFirst != nil || errLast != nil || r.String() != s:
		return Range{}, fmt.Errorf("%q is no range of slots, as 0-1999", s)
	case b >= Slots:
		return Range{}, fmt.Errorf("slots go from 0 to %d", Slots-1)
	case a > b:
		return Range{}, fmt.Errorf("the range %s begins after its end", s)
	}
	return r, nil
}

// newRanges puts ranges in order and joins those that touch; overlap is one that lies in another, where there is one.
func newRanges(list []Range) (ranges Ranges, overlap *Range) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Range) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last)) })
	for _, r := range list {
		last := len(ranges) - 1
		switch {
		case last >= 0 && r.First <= ranges[last].Last:
			overlap = &r
			ranges[last].Last = max(ranges[last].Last, r.Last)
		case last >= 0 && r.First == ranges[last].Last+1:
			ranges[last].Last = r.Last
		default:
			ranges = append(ranges, r)
		}
	}
	return ranges, overlap
}

// first are the first n slots.
func first(n int) Ranges {
	if n == 0 {
		return nil
	}
	return Ranges{{0, n - 1}}
}

// final are the last n slots.
func final(n int) Ranges {
	if n == 0 {
		return nil
	}
	return Ranges{{Slots - n, Slots - 1}}
}

// Count is how many slots there are.
func (r Ranges) Count() int {
	n := 0
	for _, one := range r {
		n += one.Last - one.First + 1
	}
	return n
}

// Contains tells whether a slot is among them.
func (r Ranges) Contains(slot int) bool {
	for _, one := range r {
		if slot <= one.Last {
			return slot >= one.First
		}
	}
	return false
}

// Without are the slots that are not in others.
func (r Ranges) Without(others Ranges) Ranges { return r.And(others.rest()) }

// rest are all slots that are not among them.
func (r Ranges) rest() Ranges {
	var rest Ranges
	from := 0
	for _, one := range r {
		if one.First > from {
			rest = append(rest, Range{from, one.First - 1})
		}
		from = one.Last + 1
	}
	if from < Slots {
		rest = append(rest, Range{from, Slots - 1})
	}
	return rest
}

// And are the slots that are in both.
func (r Ranges) And(others Ranges) Ranges {
	var both Ranges
	for len(r) > 0 && len(others) > 0 {
		if from, to := max(r[0].First, others[0].First), min(r[0].Last, others[0].Last); from <= to {
			both = append(both, Range{from, to})
		}
		if r[0].Last < others[0].Last {
			r = r[1:]
		} else {
			others = others[1:]
		}
	}
	return both
}

// String writes the ranges as files do: 0-1999, 7000-7499.
func (r Ranges) String() string { return strings.Join(r.Texts(), ", ") }

// Texts are the ranges as the strings that files list.
func (r Ranges) Texts() []string {
	texts := make([]string, len(r))
	for i, one := range r {
		texts[i] = one.String()
	}
	return texts
}
