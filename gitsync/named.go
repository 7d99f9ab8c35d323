package gitsync

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Named finds a commit by what people call it: by its 40 digits, by 7 or more of them, or by a tag, with or without refs/tags/.
// An abbreviation is looked for on the first-parent chains of the branch and of the heads that are kept, the newest 100,000
// commits of each; a tag that looks like one counts only if there is no such commit. An [AmbiguousError] names what an
// abbreviation is short for; [ErrNotFound] comes with the tags whose names are most alike.
func (f *Follower) Named(ctx context.Context, name string) (Hash, error) {
	if digits, ok := strings.ToLower(name), len(name) >= minAbbreviation && len(name) <= 2*len(Hash{}); ok && allHex(digits) {
		if h, err := f.byDigits(ctx, digits); err != nil || !h.IsZero() {
			return h, err
		}
	}
	if h, known := f.Tags()[strings.TrimPrefix(name, tagPrefix)]; known {
		return h, nil
	}
	return Hash{}, f.unnamed(name)
}

func allHex(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 'f' || !isHex(byte(r)) })
}

// byDigits is zero when no commit begins with the digits.
func (f *Follower) byDigits(ctx context.Context, digits string) (Hash, error) {
	if h, err := ParseHash(digits); err == nil {
		if !f.store.holdsCommit(h) {
			return Hash{}, nil
		}
		return h, nil
	}
	known, err := f.names(ctx)
	if err != nil {
		return Hash{}, fmt.Errorf("commits that begin with %s: %w", digits, err)
	}
	// A mirror that was renewed may have lost some.
	found := slices.DeleteFunc(slices.Clone(beginWith(known, digits)), func(h Hash) bool { return !f.store.has(h) })
	switch len(found) {
	case 0:
		return Hash{}, nil
	case 1:
		return found[0], nil
	default:
		return Hash{}, &AmbiguousError{Name: digits, Candidates: found[:min(len(found), maxCandidates)]}
	}
}

// beginWith finds, in a sorted list, the hashes that begin with some digits: one more than are named, at most.
func beginWith(sorted []Hash, digits string) []Hash {
	least, err := ParseHash(digits + strings.Repeat("0", 2*len(Hash{})-len(digits)))
	if err != nil {
		return nil
	}
	at, _ := slices.BinarySearchFunc(sorted, least, compare)
	end := at
	for end < len(sorted) && end-at <= maxCandidates && strings.HasPrefix(sorted[end].String(), digits) {
		end++
	}
	return sorted[at:end]
}

func compare(a, b Hash) int { return bytes.Compare(a[:], b[:]) }

// names are the commits that an abbreviation may be short for, sorted. They are remembered: with a commit stand all below it, so
// that a newer head adds what is above alone.
func (f *Follower) names(ctx context.Context) ([]Hash, error) {
	f.naming.Lock()
	defer f.naming.Unlock()
	var known []Hash
	if p := f.known.Load(); p != nil && len(*p) <= 4*maxNames {
		known = *p
	}
	fresh := map[Hash]bool{}
	if err := f.above(ctx, f.Head(), known, fresh); err != nil {
		return nil, err
	}
	keeps, err := kept(f.store.at())
	if err != nil {
		return nil, err
	}
	for _, h := range keeps {
		if len(known)+len(fresh) > 2*maxNames {
			break
		}
		if err := f.above(ctx, h, known, fresh); err != nil {
			return nil, err
		}
	}
	if len(fresh) == 0 {
		return known, nil
	}
	sorted := slices.AppendSeq(slices.Clip(known), maps.Keys(fresh))
	slices.SortFunc(sorted, compare)
	f.known.Store(&sorted)
	return sorted, nil
}

// above adds the chain from a head down to what is known.
func (f *Follower) above(ctx context.Context, head Hash, known []Hash, fresh map[Hash]bool) error {
	for at, n := head, 0; !at.IsZero() && !fresh[at] && n < maxNames; n++ {
		if _, is := slices.BinarySearchFunc(known, at, compare); is {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		parent, err := f.parent(at)
		if err != nil {
			f.suspect(at)
			return lost(err)
		}
		fresh[at] = true
		at = parent
	}
	return nil
}

// parent asks the chains first: they know without reading.
func (f *Follower) parent(h Hash) (Hash, error) {
	f.mu.Lock()
	chains := slices.Collect(maps.Values(f.chains))
	f.mu.Unlock()
	for _, c := range chains {
		if s := c.known(h); s != nil {
			return s.Parent, nil
		}
	}
	l, err := f.store.links(h)
	return l.first(), err
}

func (f *Follower) unnamed(name string) error {
	shown := oneLine(strings.Map(visible, name), 80)
	text := fmt.Sprintf("there is no commit and no tag %q", shown)
	switch near := mostAlike(strings.TrimPrefix(name, tagPrefix), "", slices.Collect(maps.Keys(f.Tags()))); {
	case len(near) > 0:
		text += "; the nearest tags are " + strings.Join(near, ", ")
	case allHex(strings.ToLower(name)) && len(name) < minAbbreviation:
		text += fmt.Sprintf("; a commit is named by %d digits or more", minAbbreviation)
	}
	return hint(ErrNotFound, "%s", text)
}
