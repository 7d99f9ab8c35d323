package gitsync

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// A damaged mirror is never mended in place. A new one is made beside it, from the remote or from what is still whole, and the
// switch is one rename. Until then everybody reads what can be read.

// suspect remembers an object that could not be read, so that the next look finds out whether the mirror is damaged. An object
// is looked into once: one that the remote does not have either must not cause a clone every time somebody asks for it.
func (f *Follower) suspect(h Hash) {
	f.mu.Lock()
	_, known := f.suspects[h]
	if !known && len(f.suspects) < maxSuspects {
		f.suspects[h] = true
	}
	f.mu.Unlock()
	if !known {
		f.Hint()
	}
}

// damaged tells whether an object that a reader missed is missing indeed.
func (f *Follower) damaged() bool {
	for _, h := range f.unexamined() {
		if err := f.store.probe(h); err != nil {
			f.log.Warn("the mirror is damaged: cloning afresh", "err", err)
			return true
		}
	}
	return false
}

// unexamined are the suspects that were not looked into.
func (f *Follower) unexamined() []Hash {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []Hash
	for h, fresh := range f.suspects {
		if fresh {
			list = append(list, h)
			f.suspects[h] = false
		}
	}
	return list
}

// renew clones the branch into a new mirror and goes on with that one.
func (f *Follower) renew(ctx context.Context, sess session, refs *packp.AdvRefs, tip, taken Hash) (*Update, error) {
	next := f.generation + 1
	s, err := f.fresh(next)
	if err != nil {
		return nil, err
	}
	u, err := f.cloneInto(ctx, s, sess, refs, tip, taken)
	if err == nil {
		err = f.switchTo(s, next, tip)
	}
	if err != nil {
		return nil, errors.Join(err, s.close(), os.RemoveAll(s.dir))
	}
	f.log.Info("the damaged mirror was replaced", "commit", tip.String(), "generation", next)
	f.options.Observe.renewed()
	return u, nil
}

func (f *Follower) cloneInto(ctx context.Context, s *store, sess session, refs *packp.AdvRefs, tip, taken Hash) (*Update, error) {
	if err := f.fetch(ctx, s, sess, refs, tip, nil); err != nil {
		return nil, err
	}
	if err := salvage(f.store.dir, s, false); err != nil {
		return nil, err
	}
	u, err := f.judge(s, taken, tip, Hash{})
	if err != nil {
		return nil, err
	}
	if err := f.keepLost(s, u); err != nil {
		return nil, err
	}
	return news(u), writeRef(s.dir, branchPrefix+f.options.Branch, tip)
}

// switchTo makes a complete mirror the one in use. What was kept since it was made comes along: nobody keeps or reads meanwhile.
func (f *Follower) switchTo(s *store, next int, head Hash) error {
	old := f.store.dir
	err := f.store.move(s.dir, func() error {
		if err := salvage(old, s, false); err != nil {
			return err
		}
		return setCurrent(f.options.Dir, next)
	})
	if err != nil {
		return err
	}
	if err := s.close(); err != nil {
		f.log.Warn("a handle of the mirror is not closed", "err", err)
	}
	f.putAway(old, f.generation)
	f.generation = next
	f.setHead(head)
	return nil
}

// putAway keeps the last damaged mirror for whoever wants to know why. It stands in nobody's way when it cannot.
func (f *Follower) putAway(dir string, generation int) {
	err := os.Rename(dir, filepath.Join(f.options.Dir, damagedPrefix+strconv.Itoa(generation)))
	if err == nil {
		err = sweep(f.options.Dir, generation+1)
	}
	if err != nil {
		f.log.Warn("the damaged mirror is not put away", "err", err)
	}
}

// setAside makes a new mirror out of what is whole in the one that cannot be read. With luck that is everything.
func (f *Follower) setAside() error {
	old, next := filepath.Join(f.options.Dir, mirrorName(f.generation)), f.generation+1
	s, err := f.fresh(next)
	if err != nil {
		return err
	}
	if err := salvage(old, s, true); err != nil {
		_ = s.close()
		return err
	}
	head := f.salvageHead(old, s)
	f.store = s
	if err := setCurrent(f.options.Dir, next); err != nil {
		return err
	}
	f.putAway(old, f.generation)
	f.generation = next
	f.setHead(head)
	f.options.Observe.renewed()
	return nil
}

// salvageHead takes over the head if all that belongs to it was saved.
func (f *Follower) salvageHead(old string, s *store) Hash {
	name := branchPrefix + f.options.Branch
	before := openStore(old)
	defer before.close()
	head, err := before.ref(name)
	if err != nil || head.IsZero() {
		return Hash{}
	}
	v := s.verifier(true)
	if err := v.commit(head); err != nil {
		return Hash{}
	}
	if _, err := s.reach(head); err != nil {
		return Hash{}
	}
	if err := writeRef(s.dir, name, head); err != nil {
		return Hash{}
	}
	s.fit(v.bytes)
	return head
}

// salvage brings over the packs of a damaged mirror that are whole, and our refs to what is in them: commits that were kept
// because the remote no longer has them. Unless all is wanted it does nothing when no kept commit is missing.
func salvage(from string, into *store, all bool) error {
	keeps, err := kept(from)
	if err != nil {
		return nil // the list itself is damaged: nothing to go by
	}
	if all || lacksAny(into, keeps) {
		if err := salvagePacks(from, into); err != nil {
			return err
		}
	}
	for _, h := range keeps {
		if into.verifier(false).commit(h) != nil {
			continue
		}
		if err := into.keep(h); err != nil {
			return err
		}
	}
	return nil
}

func lacksAny(s *store, hashes []Hash) bool {
	for _, h := range hashes {
		if !s.has(h) {
			return true
		}
	}
	return false
}

func salvagePacks(from string, into *store) error {
	list, err := packs(from)
	if err != nil {
		return nil
	}
	for _, p := range list {
		if !whole(p.path) {
			continue
		}
		if err := adopt(p, into); err != nil {
			return fmt.Errorf("salvage: %w", err)
		}
	}
	return into.move(into.dir, func() error { return nil })
}

// adopt links a whole pack into a mirror. Its index is made anew unless it is whole as well.
func adopt(p pack, into *store) error {
	target := pack{path: filepath.Join(into.dir, filepath.FromSlash(packDir), filepath.Base(p.path))}
	if !absent(target.path) {
		return nil
	}
	if whole(p.index()) && os.Link(p.index(), target.index()) == nil {
		if os.Link(p.path, target.path) == nil {
			return nil
		}
		if err := os.Remove(target.index()); err != nil {
			return err
		}
	}
	f, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer f.Close()
	return into.addPack(f)
}

// whole tells whether a pack or an index ends in the SHA-1 of what comes before.
func whole(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < sha1.Size {
		return false
	}
	sum := sha1.New()
	if _, err := io.CopyN(sum, f, info.Size()-sha1.Size); err != nil {
		return false
	}
	trailer := make([]byte, sha1.Size)
	if _, err := io.ReadFull(f, trailer); err != nil {
		return false
	}
	return string(trailer) == string(sum.Sum(nil))
}
