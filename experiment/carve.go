package experiment

import (
	"fmt"
	"slices"
	"strings"
)

// Share is a variant and its slots.
type Share struct {
	Variant string
	Slots   Ranges
}

// Carve gives variants new weights, in slots, and moves as few units as can be: a variant that shrinks, or is no more, gives up its last
// slots, and those that grow, or are new, take them in the order of their names. The weights must sum to [Slots].
//
//	control 0-4999, green 5000-9999    to control 40%, green 40%, blue 20%
//	control 0-3999, green 5000-8999, blue 4000-4999, 9000-9999
func Carve(old []Share, weights map[string]int) ([]Share, error) {
	total := 0
	for name, weight := range weights {
		if weight < 0 || weight > Slots {
			return nil, fmt.Errorf("the weight of %s is not between 0 and %d slots", name, Slots)
		}
		total += weight
	}
	if total != Slots {
		return nil, fmt.Errorf("the weights sum to %s, not to 100%%", share(total))
	}
	kept := map[string]Ranges{}
	freed := Ranges{{0, Slots - 1}}
	for _, s := range old {
		kept[s.Variant] = s.Slots.take(weights[s.Variant])
		freed = freed.Without(kept[s.Variant])
	}
	var shares []Share
	for name := range weights {
		shares = append(shares, Share{Variant: name})
	}
	slices.SortFunc(shares, func(a, b Share) int { return compareKeys(a.Variant, b.Variant) })
	for i, s := range shares {
		grown := freed.take(weights[s.Variant] - kept[s.Variant].Count())
		shares[i].Slots = kept[s.Variant].with(grown)
		freed = freed.Without(grown)
	}
	return shares, nil
}

// with are the slots of both.
func (r Ranges) with(others Ranges) Ranges {
	all, _ := newRanges(slices.Concat(r, others))
	return all
}

// Shares are the variants and their slots.
func (x *Experiment) Shares() []Share {
	shares := make([]Share, len(x.Variants))
	for i, v := range x.Variants {
		shares[i] = Share{v.Name, v.Slots}
	}
	return shares
}

// moved is how many slots have another variant, and least how many must where only the weights are given.
func moved(old, new []Share) (moved, least int) {
	had := map[string]Ranges{}
	for _, s := range old {
		had[s.Variant] = s.Slots
	}
	stay := 0
	for _, s := range new {
		stay += s.Slots.And(had[s.Variant]).Count()
		least += max(0, s.Slots.Count()-had[s.Variant].Count())
	}
	return Slots - stay, least
}

// asWritten are the slots as they stand in a file.
func asWritten(shares []Share) string {
	texts := make([]string, len(shares))
	for i, s := range shares {
		texts[i] = fmt.Sprintf("%s: {slots: [%s]}", s.Variant, s.Slots)
	}
	return strings.Join(texts, ", ")
}
