// Package history answers about the past: what the values of an environment were at a version, how two versions or environments
// differ, which commit last changed a value or took it away, and which layers it is made of.
//
// Make a [History] with [New], and let [History.Run] drop what nobody asks for any more. Name a version with [History.Resolve] and hand
// the [At] that it returns to [History.Diff], [History.Matrix], [History.Blame], [History.Removed] or [History.Explain];
// [History.Snapshot] is for those who read values. All may be called from any goroutine.
//
// What it promises: an old version is compiled once, however many ask for it at a time. Few things are done beside each other, and who
// would have to wait for too many others is turned away with [ErrBusy]. A version is redacted by what it marked as sensitive itself, by
// what its baseline did, and by what is marked today: what is sensitive now is never told from yesterday. People are shown values
// through [compile.Snapshot.ShownAt]. A [Selection] narrows what an answer is about before anything of it is counted.
package history

import (
	"context"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Mirror is where commits and their files are read; [gitsync.Follower] is one.
type Mirror interface {
	apply.Mirror
	Head() gitsync.Hash
	Named(ctx context.Context, name string) (gitsync.Hash, error)
	Tags() map[string]gitsync.Hash
	Chain(dir string) *gitsync.Chain
}

// Log tells what was decided and what was live; [audit.Log] does.
type Log interface {
	// Baseline is the version that a commit was judged against in an environment; zero when there was none.
	Baseline(ctx context.Context, commit gitsync.Hash, env string) (baseline gitsync.Hash, known bool, err error)
	// LiveAt is the version that an environment served at a time.
	LiveAt(ctx context.Context, env string, at time.Time) (commit gitsync.Hash, known bool, err error)
}

// Options say what a History reads from.
type Options struct {
	Mirror Mirror
	Log    Log
	Live   *apply.Live
	// Status tells of versions that are valid and kept out by a pin: what they mark as sensitive counts, too. It may be nil.
	Status func() *apply.Status
	// Path is the folder of the config repo in the repository; "" is its root.
	Path string
	// Key keys the fingerprints of redacted values.
	Key value.Key
}

// History answers about the past.
type History struct {
	o       Options
	source  compile.Source
	parts   compile.Source // for reading parts of trees
	chain   *gitsync.Chain
	past    past
	blames  blames
	compile *turns // one compiles at a time: it takes all processors
	walks   *turns

	patience, brevity time.Duration // of a walk, and of one that looks for what was removed
}

// New makes a History that has read nothing yet.
func New(o Options) *History {
	return &History{
		o: o, source: apply.Source(o.Mirror), parts: apply.Source(sizeless{o.Mirror}), chain: o.Mirror.Chain(o.Path), past: newPast(), blames: newBlames(),
		compile: newTurns(1), walks: newTurns(maxWalks), patience: walkPatience, brevity: removalPatience,
	}
}

// sizeless is a mirror that is not asked how large files are before they are read: of a part of a tree few are, and asking takes longer
// than reading those.
type sizeless struct{ Mirror }

// BlobSize is not known. That a file is too large is told when it is read.
func (sizeless) BlobSize(gitsync.Hash) (int64, error) { return 0, nil }

// Run drops what nobody has asked for lately, until ctx ends. Once the start is over it looks at the history, so that who asks first
// need not wait for that.
func (h *History) Run(ctx context.Context) error {
	ticks, once := time.NewTicker(dropEvery), time.NewTimer(indexAfter)
	defer ticks.Stop()
	defer once.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-once.C:
			_, _ = h.index(ctx) // who asks for what cannot be read is told so
		case <-ticks.C:
			h.drop(time.Now())
		}
	}
}

// index compares the commits that blame looks at with their parents: the chain remembers what they changed.
func (h *History) index(ctx context.Context) (commits int, err error) {
	defer func() { caught(&err, recover()) }()
	err = h.chain.Walk(ctx, h.o.Mirror.Head(), func(gitsync.Step) bool {
		commits++
		return commits < MaxWalked
	})
	return commits, err
}
