package gitsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Step is one first-parent commit with what it changed in a folder, against its first parent.
type Step struct {
	Commit, Parent Hash // Parent is zero at the beginning
	// Tree is the folder's: the empty tree when the commit does not have the folder.
	Tree Hash
	When time.Time // the committer's
	// Files are sorted by path. It is shared: it must not be changed.
	Files []FileChange
	// Many says that more files changed than are kept: then Files is empty, and any file may have changed.
	Many bool
}

// FileChange is a file, a link or a submodule that a commit changed, be it by its mode alone.
type FileChange struct {
	Path     string // relative to the folder
	Old, New Hash   // zero: not there
}

// Chain is an index of the first-parent history of one folder. It is built as it is asked for, kept in memory within a bound, and
// grows with the branch: a commit is compared with its parent once. Steps are found by their commit, so that a rewritten history is
// nothing special. Any goroutine may use it.
type Chain struct {
	store   *store
	suspect func(Hash)
	folder  []string // its names, from the root

	mu  sync.Mutex
	new shelf // looked into first
	old shelf

	// build lets one goroutine at a time compare commits, so that two that walk together do not both do it.
	build sync.Mutex
	last  version // the one looked at last: the next one to be compared, mostly
	paths paths
}

// shelf holds the steps that were looked at since the one before it was full.
type shelf struct {
	steps map[Hash]*step
	bytes int // weight of the lists of files
}

// step never changes.
type step struct {
	Step
	// delta is what the commit adds to the state of the folder: the sum of what is there now, less the sum of what was.
	delta sum
	// unknown says that the trees are too large to be compared: then delta means nothing.
	unknown bool
	// light says that the list of files was too much to be kept.
	light bool
}

// version is what a commit holds of the folder.
type version struct {
	commit Hash
	links  links
	tree   Hash
}

// Chain is the index of a folder's first-parent history; "" is the root. It is the same one at every call, but for the folders
// beyond the fourth.
func (f *Follower) Chain(dir string) *Chain {
	names := folderNames(dir)
	key := strings.Join(names, "/")
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.chains[key]; c != nil {
		return c
	}
	c := f.newChain(names)
	if len(f.chains) < maxChains {
		if f.chains == nil {
			f.chains = map[string]*Chain{}
		}
		f.chains[key] = c
	}
	return c
}

func (f *Follower) newChain(folder []string) *Chain {
	return &Chain{store: f.store, suspect: f.suspect, folder: folder}
}

func folderNames(dir string) []string {
	return slices.DeleteFunc(strings.Split(dir, "/"), func(name string) bool { return name == "" || name == "." })
}

// Walk goes from a commit, which may be any in the mirror, down its first parents, newest first, until visit returns false or
// history begins. No lock is held while visit runs.
func (c *Chain) Walk(ctx context.Context, head Hash, visit func(Step) (goOn bool)) error {
	for at := head; !at.IsZero(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := c.step(at)
		if err != nil {
			return err
		}
		if s.light {
			if s, err = c.compare(at); err != nil {
				return err
			}
		}
		if !visit(s.Step) {
			return nil
		}
		at = s.Parent
	}
	return nil
}

// step finds a commit's step, or makes it.
func (c *Chain) step(h Hash) (*step, error) {
	if s := c.known(h); s != nil {
		return s, nil
	}
	c.build.Lock()
	defer c.build.Unlock()
	if s := c.known(h); s != nil {
		return s, nil
	}
	s, err := c.made(h)
	if err != nil {
		return nil, err
	}
	return c.remember(s), nil
}

// compare makes a step anew, with its list of files.
func (c *Chain) compare(h Hash) (*step, error) {
	c.build.Lock()
	defer c.build.Unlock()
	return c.made(h)
}

func (c *Chain) known(h Hash) *step {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.new.steps[h]
	if s == nil {
		if s = c.old.steps[h]; s != nil {
			s = c.add(s)
		}
	}
	return s
}

func (c *Chain) remember(s *step) *step {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(s)
}

// add puts a step into the new generation, without its list of files when there are too many of them already. A full generation
// becomes the old one: what nobody asked for meanwhile is dropped.
func (c *Chain) add(s *step) *step {
	if c.new.steps == nil || len(c.new.steps) >= maxSteps {
		c.old, c.new = c.new, shelf{steps: map[Hash]*step{}}
	}
	bytes := weight(s.Files)
	if c.new.bytes+bytes > maxListBytes {
		light := *s
		light.Files, light.light = nil, true
		s, bytes = &light, 0
	}
	c.new.steps[s.Commit] = s
	c.new.bytes += bytes
	return s
}

func weight(files []FileChange) int {
	bytes := 0
	for _, f := range files {
		bytes += int(unsafe.Sizeof(f)) + len(f.Path)
	}
	return bytes
}

// made compares a commit with its parent.
func (c *Chain) made(h Hash) (*step, error) {
	at, err := c.version(h)
	if err != nil {
		return nil, err
	}
	s := &step{Step: Step{Commit: h, Parent: at.links.first(), Tree: at.tree, When: time.Unix(at.links.when, 0).UTC()}}
	before, err := c.version(s.Parent)
	if err != nil {
		c.suspect(s.Parent)
		return nil, fmt.Errorf("parent of %s: %w", h.Short(), lost(err))
	}
	d, err := diff(c.list, before.tree, at.tree, maxFiles)
	if err != nil {
		return nil, fmt.Errorf("changes of %s: %w", h.Short(), err)
	}
	s.delta, s.Many, s.unknown = d.delta, d.many, d.unknown
	if len(d.edits) > 0 {
		s.Files = make([]FileChange, len(d.edits))
	}
	for i, e := range d.edits {
		s.Files[i] = FileChange{Path: c.paths.one(e.path), Old: e.old.hash, New: e.new.hash}
	}
	return s, nil
}

// version reads a commit and finds its folder. Before the beginning there is an empty one.
func (c *Chain) version(h Hash) (version, error) {
	if h.IsZero() {
		return version{tree: emptyTree}, nil
	}
	if c.last.commit == h {
		return c.last, nil
	}
	l, err := c.store.links(h)
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			c.suspect(h)
		}
		return version{}, err
	}
	tree, err := c.find(l.tree)
	if err != nil {
		return version{}, fmt.Errorf("folder of %s: %w", h.Short(), err)
	}
	c.last = version{commit: h, links: l, tree: tree}
	return c.last, nil
}

// find goes from a commit's tree to the folder's: the empty one when it is not there, or is something else.
func (c *Chain) find(tree Hash) (Hash, error) {
	for _, name := range c.folder {
		list, err := c.list(tree)
		if err != nil {
			return Hash{}, err
		}
		i := slices.IndexFunc(list, func(e treeEntry) bool { return e.mode == Dir && string(e.name) == name })
		if i < 0 {
			return emptyTree, nil
		}
		tree = list[i].hash
	}
	return tree, nil
}

func (c *Chain) list(tree Hash) ([]treeEntry, error) {
	list, err := c.store.list(tree)
	if err != nil {
		c.suspect(tree)
		return nil, lost(err)
	}
	return list, nil
}

// paths holds one copy of each path, however often it is changed.
type paths struct {
	known map[string]string
	bytes int
}

func (p *paths) one(path string) string {
	if known, is := p.known[path]; is {
		return known
	}
	if p.known == nil || p.bytes > maxPathsBytes {
		*p = paths{known: map[string]string{}}
	}
	p.known[path] = path
	p.bytes += len(path)
	return path
}
