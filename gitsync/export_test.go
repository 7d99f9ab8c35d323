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
