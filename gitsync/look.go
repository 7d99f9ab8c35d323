package gitsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// look asks the remote once. It returns nil when there is nothing that was not taken. Only when everything that can fail has
// not does the branch move in the mirror.
func (f *Follower) look(ctx context.Context, taken Hash) (*Update, error) {
	damaged := f.damaged()
	tip, u, err := f.advance(ctx, taken, damaged)
	if err != nil && !damaged && (errors.Is(err, ErrNotFound) || errors.Is(err, errUnreadable)) {
		// Either the mirror lost an object or the remote delivers less than it owes. A clone tells which.
		f.log.Warn("objects are missing: cloning afresh", "err", err)
		tip, u, err = f.advance(ctx, taken, true)
	}
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, nil
	}
	f.recent = append(f.recent, tip)
	if len(f.recent) > maxRecent {
		f.recent = f.recent[1:]
	}
	return u, nil
}

// advance lists, fetches and verifies, into a new mirror if renew says so, and then moves the branch.
func (f *Follower) advance(ctx context.Context, taken Hash, renew bool) (Hash, *Update, error) {
	sess, refs, tip, done, err := f.list(ctx)
	if err != nil {
		return Hash{}, nil, err
	}
	defer f.learn(refs) // at last: a tag may name a commit that comes with this look
	defer done()
	f.note(func(s *State) { s.RemoteHead = tip })
	if renew {
		u, err := f.renew(ctx, sess, refs, tip, taken)
		return tip, u, err
	}
	if tip == f.Head() && tip == taken {
		return tip, nil, nil
	}
	if !f.store.has(tip) {
		if err := f.fetch(ctx, f.store, sess, refs, tip, f.haves()); err != nil {
			return tip, nil, err
		}
	}
	u, err := f.judge(f.store, taken, tip, f.Head())
	if err != nil {
		return tip, nil, err
	}
	if err := f.keepLost(f.store, u); err != nil {
		return tip, nil, err
	}
	if err := writeRef(f.store.dir, branchPrefix+f.options.Branch, tip); err != nil {
		return tip, nil, err
	}
	f.setHead(tip)
	return tip, news(u), nil
}

// news is nil for an update that brings the caller nothing.
func news(u Update) *Update {
	if u.From == u.Head {
		return nil
	}
	return &u
}

// list begins a session and finds the branch in what the remote lists.
func (f *Follower) list(ctx context.Context) (session, *packp.AdvRefs, Hash, func(), error) {
	whole, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(f.waits.list, func() { cancel(fmt.Errorf("%w to list its branches: %s", errTooSlow, f.waits.list)) })
	sess, err := f.dialer.dial(whole)
	done := func() { late.Stop(); cancel(nil) }
	if err != nil {
		err = f.explained(because(whole, err))
		done()
		return nil, nil, Hash{}, nil, err
	}
	end := func() { done(); _ = sess.Close() }
	refs, err := sess.AdvertisedReferencesContext(whole)
	if err == nil && !late.Stop() {
		err = context.Cause(whole)
	}
	if err != nil {
		err = f.explained(because(whole, err))
		end()
		return nil, nil, Hash{}, nil, err
	}
	tip, ok := refs.References[branchPrefix+f.options.Branch]
	if !ok {
		end()
		return nil, nil, Hash{}, nil, f.noBranch(refs)
	}
	return sess, refs, Hash(tip), end, nil
}

// fetch brings in the history of tip that haves do not cover. The branch does not move.
func (f *Follower) fetch(ctx context.Context, into *store, sess session, refs *packp.AdvRefs, tip Hash, haves []Hash) error {
	began := time.Now()
	limit := f.waits.fetch
	if len(haves) == 0 {
		limit = f.waits.clone
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w to send a pack: %s", errTooSlow, limit))
	defer cancel()
	ctx, w, stop := watch(ctx, f.waits.silent)
	defer stop()
	req, err := wants(refs, tip, haves, f.remote.azure())
	if err != nil {
		return err
	}
	if err := f.receive(ctx, into, sess, req, w); err != nil {
		_ = tidy(into.packs())
		return fmt.Errorf("fetch %s: %w", f.options.Branch, f.explained(because(ctx, err)))
	}
	if err := f.delivered(into, tip, len(haves) == 0); err != nil {
		return err
	}
	f.options.Observe.fetched(time.Since(began), w.bytes.Load())
	return nil
}

func (f *Follower) receive(ctx context.Context, into *store, sess session, req *packp.UploadPackRequest, w *watched) error {
	// A session of pipes ends with the context it was dialled with: this one is shorter.
	release := context.AfterFunc(ctx, func() { _ = sess.Close() })
	defer release()
	res, err := sess.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	defer res.Close()
	w.from = res
	if err := into.addPack(demux(req, w)); err != nil {
		return err
	}
	// A connection serves the next look only if its last answer was read to the end.
	_, _ = io.CopyN(io.Discard, w, maxErrorBody)
	return nil
}

// delivered checks that the commit asked for is there: after a clone with every commit below it, after an increment without
// looking further, for the update is about to be read in full.
func (f *Follower) delivered(into *store, tip Hash, all bool) error {
	if !into.has(tip) {
		return hint(errLied, "the remote lists %s for %s and does not deliver it", tip.Short(), f.options.Branch)
	}
	if !all {
		return nil
	}
	if _, err := into.reach(tip); err != nil {
		return hint(errLied, "the remote delivers %s without its history: %v", f.options.Branch, err)
	}
	return nil
}

var errLied = errors.New("the remote does not deliver what it lists")

// judge finds what is new since taken and checks that all of it can be read. verified is a commit whose tree was checked before.
func (f *Follower) judge(s *store, taken, tip, verified Hash) (Update, error) {
	u, err := s.update(taken, tip, f.options.Origin)
	if err != nil {
		return Update{}, err
	}
	v := s.verifier(false)
	if err := v.commits(u.Commits, verified); err != nil {
		return Update{}, err
	}
	if verified.IsZero() {
		s.fit(v.bytes)
	}
	// A branch that went back has no new commits, and its head is one that was taken before.
	return u, v.commit(tip)
}

// keepLost gives refs of ours to what the branch no longer reaches, before anything is moved.
func (f *Follower) keepLost(s *store, u Update) error {
	if u.Rewrite == nil {
		return nil
	}
	for _, h := range []Hash{u.Rewrite.Old, f.Head()} {
		if h.IsZero() || !s.has(h) {
			continue
		}
		if err := s.keep(h); err != nil {
			return err
		}
	}
	return nil
}

// haves tells the remote what need not be sent.
func (f *Follower) haves() []Hash {
	seen := map[Hash]bool{{}: true}
	var list []Hash
	add := func(hashes ...Hash) {
		for _, h := range hashes {
			if !seen[h] {
				seen[h] = true
				list = append(list, h)
			}
		}
	}
	add(f.Head())
	add(f.recent...)
	add(f.ladder...)
	return list
}
