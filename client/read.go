package client

import (
	"context"
	"iter"
	"time"

	"github.com/trunkline/trunkline/value"
)

// Reader is what a program reads its configuration from, wherever that comes from: a [Client], a follow.Repo in the program itself, or
// in tests a clienttest.Fake. Reading takes no lock and waits for nothing. Two calls may see two versions: what has to be of one is
// read from one [State].
type Reader interface {
	// State is the newest state; nil before the first.
	State() *State
	// Stale tells whether the values may be older than what is live, and since when.
	Stale() (since time.Time, stale bool)
	// Watch yields what the patterns select, now and after every change. See [Feed.Watch].
	Watch(ctx context.Context, patterns ...string) iter.Seq2[Update, error]

	Get(path string) (*value.Value, bool)
	String(path, otherwise string) string
	Int(path string, otherwise int64) int64
	Float(path string, otherwise float64) float64
	Bool(path string, otherwise bool) bool
	Duration(path string, otherwise time.Duration) time.Duration
	Decode(path string, target any) error
}

// Read reads a value into a Go type as [value.Get] does: the default where there is none, and an error, with the path, where there is
// something else.
func Read[T any](r Reader, path string, otherwise T) (T, error) {
	return value.Get(r.State().values(), path, otherwise)
}
