package gitsync

import "time"

// SetWaits makes a follower impatient. Call it before Run.
func SetWaits(f *Follower, d time.Duration) {
	f.waits = waits{list: d, fetch: 100 * d, clone: 100 * d, silent: d}
}

// MirrorDir is the repository in use.
func MirrorDir(f *Follower) string {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	return f.store.dir
}

// DropCaches makes the next readings come from disk.
func DropCaches(f *Follower) {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	f.store.cache.Clear()
	_ = f.store.fs.Close()
	f.store.fs = openStorage(f.store.dir, f.store.cache)
}

var (
	ModeOf         = entryMode
	AppendDistance = appendDistance
	ReadDistance   = readDistance
)

// NextWait is the wait after so many failures in a row.
func NextWait(poll time.Duration, failures int) time.Duration {
	p := pace{calm: poll, first: poll, failures: failures}
	return p.next()
}

// SetPacks makes a follower join its packs when there are n. Call it before Run.
func SetPacks(f *Follower, n int) { f.packs = n }

// Verify is what Signer does with a commit's bytes, panics included.
var Verify = verify

// OneLine makes a name fit to be shown.
func OneLine(name string) string { return oneLine(name, maxName) }

// Plain is what is left of a commit for go-git to read.
var Plain = plain

// NewChain is an index that knows nothing yet.
func NewChain(f *Follower, dir string) *Chain { return f.newChain(folderNames(dir)) }

// Compared tells how many commits a chain compared with their parents and still knows.
func Compared(c *Chain) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.new.steps)
}

// Crowd leaves a chain no room for lists of files.
func Crowd(c *Chain) { c.new = shelf{steps: map[Hash]*step{}, bytes: maxListBytes} }

// Forge makes the sums say that one commit takes back another.
func Forge(c *Chain, commit, takesBack Hash) {
	c.new.steps[commit].delta = sum{}.minus(c.new.steps[takesBack].delta)
}

// ForgetNames makes the next abbreviation be looked for anew.
func ForgetNames(f *Follower) { f.known.Store(nil) }

// Links are the tree and the parents that walks go by.
func Links(raw []byte) (tree Hash, parents []Hash) {
	l := parseLinks(raw)
	return l.tree, l.parents
}

// ParseTree reads the entries of a tree as chains do.
func ParseTree(raw []byte) ([]Entry, bool) {
	list, ok := parseTree(raw)
	var all []Entry
	for _, e := range list {
		all = append(all, Entry{Name: string(e.name), Mode: e.mode, Hash: e.hash})
	}
	return all, ok
}
