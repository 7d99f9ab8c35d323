package gitsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Follower follows one branch. See Open and Run.
type Follower struct {
	options Options
	remote  address
	dialer  dialer
	log     *slog.Logger
	waits   waits
	packs   int // join them when there are so many
	lock    *os.File

	store   *store
	head    atomic.Pointer[Hash]
	hints   chan struct{}
	running atomic.Bool
	levels  levels
	tags    tags
	naming  sync.Mutex             // one at a time finds out names
	known   atomic.Pointer[[]Hash] // see names

	// Run's goroutine alone uses these.
	generation int
	recent     []Hash // heads of the last looks, newest last
	ladder     []Hash // commits down the history
	lastToken  string

	mu       sync.Mutex
	state    State
	suspects map[Hash]bool // unreadable objects; true: not looked into yet
	chains   map[string]*Chain
}

// State is how following goes.
type State struct {
	LastLook  time.Time // when a look last ended
	LastGood  time.Time // when one last ended well
	LastError string    // why the last one did not; it holds no secret
	Failures  int       // how many failed in a row
	// RemoteHead is what the remote last listed for the branch. While it differs from Head, something is wrong.
	RemoteHead Hash
	Head       Hash
	// Generation counts the mirrors: it grows when a damaged one is replaced.
	Generation int
	Packs      int
}

// Open opens the mirror on disk, or makes an empty one. It never asks the remote: what the mirror holds can be read at once,
// whether the remote is there or not. A mirror whose head cannot be read is set aside. Close lets go of it.
func Open(_ context.Context, o Options) (*Follower, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	remote, err := parseAddress(o.URL)
	if err != nil {
		return nil, err
	}
	f := &Follower{
		options: o, remote: remote, waits: defaultWaits, packs: maxPacks,
		log:      o.Log.With("component", "gitsync", "branch", o.Branch),
		hints:    make(chan struct{}, 1),
		suspects: map[Hash]bool{},
	}
	f.options.Token = f.remembered(o.Token)
	if f.dialer, err = newDialer(remote, f.options); err != nil {
		return nil, err
	}
	if err := f.open(); err != nil {
		if f.lock != nil {
			_ = unlock(f.lock)
		}
		return nil, err
	}
	return f, nil
}

// remembered notes the token that was last read, so that it can be struck out of errors.
func (f *Follower) remembered(token func() (string, error)) func() (string, error) {
	if token == nil {
		return nil
	}
	return func() (string, error) {
		t, err := token()
		f.lastToken = strings.TrimSpace(t)
		return t, err
	}
}

func (f *Follower) open() error {
	root := f.options.Dir
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	var err error
	if f.lock, err = lock(root); err != nil {
		return err
	}
	if f.generation, err = current(root); err != nil {
		return err
	}
	if err := sweep(root, f.generation); err != nil {
		return err
	}
	if f.generation == 0 {
		err = f.begin()
	} else {
		err = f.resume()
	}
	if err == nil {
		f.recallTags()
	}
	return err
}

// begin makes the first mirror. It is in use at once: an empty mirror is a good one.
func (f *Follower) begin() error {
	s, err := f.fresh(1)
	if err != nil {
		return err
	}
	f.store, f.generation = s, 1
	f.setHead(Hash{})
	return setCurrent(f.options.Dir, 1)
}

// fresh makes an empty mirror of a generation that is not in use.
func (f *Follower) fresh(generation int) (*store, error) {
	dir := filepath.Join(f.options.Dir, mirrorName(generation))
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	if err := initMirror(dir, f.remote.shown, f.options.Branch); err != nil {
		return nil, err
	}
	return openStore(dir), nil
}

// resume goes on with the mirror that is there.
func (f *Follower) resume() error {
	s, head, err := f.inspect(filepath.Join(f.options.Dir, mirrorName(f.generation)))
	if err != nil {
		f.log.Warn("the mirror cannot be read: it is set aside", "err", err)
		return f.setAside()
	}
	f.store = s
	f.setHead(head)
	return nil
}

// inspect opens a mirror and checks that its head can be read with all that belongs to it.
func (f *Follower) inspect(dir string) (*store, Hash, error) {
	if err := tidy(dir); err != nil {
		return nil, Hash{}, err
	}
	if err := initMirror(dir, f.remote.shown, f.options.Branch); err != nil {
		return nil, Hash{}, err
	}
	s := openStore(dir)
	head, err := s.ref(branchPrefix + f.options.Branch)
	if err == nil && !head.IsZero() {
		v := s.verifier(false)
		err = v.commit(head)
		s.fit(v.bytes)
	}
	if err != nil {
		_ = s.close()
		return nil, Hash{}, err
	}
	return s, head, nil
}

// Close lets go of the mirror. Call it after Run has returned; nothing can be read afterwards.
func (f *Follower) Close() error {
	f.dialer.close()
	return errors.Join(f.store.close(), unlock(f.lock))
}

// Head is what the mirror holds of the branch: zero when nothing yet.
func (f *Follower) Head() Hash { return *f.head.Load() }

// Hint asks for a look. It never blocks.
func (f *Follower) Hint() {
	select {
	case f.hints <- struct{}{}:
	default: // one is waiting already, and will see all there is to see
	}
}

// Keep gives a commit a ref of ours, so that it stays in the mirror whatever becomes of the branch.
func (f *Follower) Keep(h Hash) error {
	if _, err := f.store.commit(h); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	return f.store.keep(h)
}

// State tells how following goes.
func (f *Follower) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

func (f *Follower) setHead(h Hash) {
	f.head.Store(&h)
	f.note(func(s *State) { s.Head, s.Generation = h, f.generation })
}

func (f *Follower) note(change func(*State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.state)
}
