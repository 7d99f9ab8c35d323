package gitsync

import (
	"fmt"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// verifier checks that trees can be read. What it has seen once it does not look at again.
type verifier struct {
	store *store
	good  map[Hash]bool
	deep  bool // inflate blobs instead of reading their headers
	bytes int64
}

func (s *store) verifier(deep bool) *verifier {
	return &verifier{store: s, good: map[Hash]bool{}, deep: deep}
}

// commit checks a commit and its whole tree.
func (v *verifier) commit(h Hash) error {
	c, err := v.store.commit(h)
	if err != nil {
		return err
	}
	if err := v.tree(Hash(c.TreeHash), Hash{}); err != nil {
		return fmt.Errorf("commit %s: %w", h.Short(), err)
	}
	return nil
}

// commits checks the trees of an update, oldest first, each against the one before it. base is a commit that was verified
// before, or zero.
func (v *verifier) commits(list []Commit, base Hash) error {
	var tree Hash
	if !base.IsZero() {
		c, err := v.store.commit(base)
		if err != nil {
			return err
		}
		tree = Hash(c.TreeHash)
	}
	for _, c := range list {
		if err := v.tree(c.Tree, tree); err != nil {
			return fmt.Errorf("commit %s: %w", c.Hash.Short(), err)
		}
		tree = c.Tree
	}
	return nil
}

// tree checks a tree, passing over what it shares with one that is known to be good.
func (v *verifier) tree(h, known Hash) error {
	if h == known || v.good[h] {
		return nil
	}
	t, err := v.store.tree(h)
	if err != nil {
		return err
	}
	before, err := v.names(known)
	if err != nil {
		return err
	}
	for _, e := range t.Entries {
		if err := v.entry(e, before[e.Name]); err != nil {
			return fmt.Errorf("%s: %w", oneLine(e.Name, 80), err)
		}
	}
	v.good[h] = true
	return nil
}

func (v *verifier) names(tree Hash) (map[string]object.TreeEntry, error) {
	if tree.IsZero() {
		return nil, nil
	}
	t, err := v.store.tree(tree)
	if err != nil {
		return nil, err
	}
	names := make(map[string]object.TreeEntry, len(t.Entries))
	for _, e := range t.Entries {
		names[e.Name] = e
	}
	return names, nil
}

func (v *verifier) entry(e, known object.TreeEntry) error {
	if e.Hash == known.Hash && e.Mode == known.Mode {
		return nil
	}
	mode := entryMode(e.Mode)
	if mode == Dir {
		below := Hash{}
		if entryMode(known.Mode) == Dir {
			below = Hash(known.Hash)
		}
		return v.tree(Hash(e.Hash), below)
	}
	if !mode.holdsBlob() || v.good[Hash(e.Hash)] {
		return nil
	}
	v.good[Hash(e.Hash)] = true
	return v.blob(Hash(e.Hash))
}

func (v *verifier) blob(h Hash) error {
	size, err := v.store.size(h)
	if err != nil {
		return err
	}
	v.bytes += size
	if v.deep {
		_, err = v.store.blob(h)
	}
	return err
}
