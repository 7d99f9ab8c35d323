package gitsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// tend does, once an update was taken, what need not delay one.
func (r *run) tend(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if r.moves%ladderEvery == 0 {
		r.climb()
	}
	r.moves++
	r.settleTags(r.Tags(), func(string, Hash) bool { return true }) // tags may have come before their commits
	if err := r.persist(); err != nil {
		r.log.Warn("the mirror is not flushed to disk", "err", err)
	}
	list, err := packs(r.store.dir)
	if err == nil && len(list) >= r.packs {
		list, err = r.repack(list)
	}
	if err != nil {
		r.log.Warn("the mirror's packs are not joined", "err", err)
	}
	r.note(func(s *State) { s.Packs = len(list) })
}

// climb notes commits at growing distances down the history, for the next requests.
func (r *run) climb() {
	var rungs []Hash
	at := r.Head()
	for depth, next := 0, 1; depth < maxLadderWalk && !at.IsZero(); depth++ {
		l, err := r.store.links(at)
		if err != nil {
			return
		}
		if at = l.first(); depth+1 == next && !at.IsZero() {
			rungs = append(rungs, at)
			next *= 2
		}
	}
	r.ladder = rungs
}

// persist flushes what was written since the last time, so that a power failure finds the head and all that belongs to it. It
// comes after an update was taken: a mirror that loses its last seconds is caught up with, and nobody should wait for a disk.
func (r *run) persist() error {
	list, err := packs(r.store.dir)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(list))
	for _, p := range list {
		known[p.path] = true
		if r.flushed[p.path] {
			continue
		}
		if err := errors.Join(flush(p.index()), flush(p.path)); err != nil {
			return err
		}
	}
	r.flushed = known
	ref := filepath.Join(r.store.dir, filepath.FromSlash(branchPrefix+r.options.Branch))
	return errors.Join(flush(filepath.Join(r.store.dir, filepath.FromSlash(packDir))), flush(ref), flush(filepath.Dir(ref)))
}

func flush(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("flush %s: %w", path, err)
	}
	return nil
}

// repack joins small packs into one and returns the packs there are now.
func (r *run) repack(list []pack) ([]pack, error) {
	began := time.Now()
	chosen := small(list)
	if err := r.store.join(chosen); err != nil {
		_ = tidy(r.store.packs())
		return list, err
	}
	r.options.Observe.repacked(time.Since(began), len(chosen))
	return packs(r.store.dir)
}

// small chooses, of packs sorted by size, those to join: as many as needed for each one left to be at least twice as large as
// all smaller ones together. So the number of packs stays logarithmic, and a byte is copied a logarithmic number of times.
func small(list []pack) []pack {
	var sum int64
	chosen := 0
	for i, p := range list {
		if p.size < 2*sum {
			chosen = i + 1
		}
		sum += p.size
	}
	return list[:chosen]
}
