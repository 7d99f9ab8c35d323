package history

import (
	"slices"
	"sync"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// trace follows what stands at a path back to the commit that last changed it.
type trace struct {
	subject
	at   value.Path
	see  func(*value.Value) *value.Value // nil: all that stands there counts
	now  *value.Value                    // nil where nothing stands
	open bool                            // the commit is not found yet
	progress
}

// subject is what is followed.
type subject struct {
	layer string // an environment, "" for the base, or effective
	path  string
	sight string // the name of what is seen of it; "" is all, or has no name
}

// effective is no layer but all of them together. No environment is called so.
const effective = "*"

// progress is how far something was followed.
type progress struct {
	since  gitsync.Hash // the oldest commit that is known to have it as it is
	before gitsync.Hash // the newest one below that has it otherwise; zero when none was found
	equal  bool         // the commit that was reached has it; otherwise that one cannot be read
	older  bool         // nothing beyond the commit that was reached was looked at
	until  gitsync.Hash // the commit that was reached, from which the next walk goes on; zero when none will
}

func newTrace(layer string, at value.Path, now *value.Value) *trace {
	return &trace{subject: subject{layer: layer, path: at.String()}, at: at, now: now}
}

// narrow lets count what is selected of what stands there, and no more.
func (t *trace) narrow(what Selection) {
	if t.see = what.of; len(what.Patterns) == 0 {
		t.sight = what.Sight
	}
}

// memorable tells whether what is found is found again under the name of the subject.
func (t *trace) memorable() bool { return t.see == nil || t.sight != "" }

// file is where it stands; empty for what a layer says, because that is asked of all layers at one path.
func (t *trace) file() string {
	if t.layer != effective || t.now == nil {
		return ""
	}
	return t.now.Pos().File
}

// follows tells whether commits are to be read for it. Those that lie above the one where an earlier walk stopped were.
func (t *trace) follows() bool { return t.open && t.until.IsZero() }

// compare holds it against the layers of the next older commit. One that cannot be read says nothing, and what lies beneath it does.
func (t *trace) compare(at gitsync.Hash, layers []compile.Layer, readable bool) {
	if !t.follows() {
		return
	}
	t.equal = readable && value.Equal(t.in(layers), t.now)
	if t.open = !readable || t.equal; !t.open {
		t.before = at
	}
}

// in is what stands there in other layers; nil where nothing does.
func (t *trace) in(layers []compile.Layer) *value.Value {
	root := value.Empty
	for _, l := range layers {
		switch t.layer {
		case effective:
			root = l.Merged
		case l.Environment:
			root = l.Own
		}
	}
	if t.see != nil {
		root = t.see(root)
	}
	v, ok := root.At(t.at)
	if !ok {
		return nil
	}
	return v
}

// blames are the commits that were found lately, by the version from which they were looked for.
type blames struct {
	mu     sync.Mutex
	pages  map[version]page
	order  []version // oldest first
	weight int       // of all pages
	most   int
}

type page map[subject]progress

// weight is what a subject counts for: its path is as long as whoever asks likes.
func (s subject) weight() int { return 1 + (len(s.path)+len(s.sight))/64 }

func newBlames() blames { return blames{pages: map[version]page{}, most: maxBlames} }

// recall takes up what is known of things that a version has as they are.
func (b *blames) recall(at version, traces []*trace) {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.pages[at]
	if page == nil {
		return
	}
	for _, t := range traces {
		if p, known := page[t.subject]; known && t.memorable() && t.follows() && t.equal {
			t.progress, t.open = p, !p.until.IsZero()
		}
	}
}

// remember keeps what was found. The pages that were begun first make room, in the end the one that grows.
func (b *blames) remember(at version, traces []*trace) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages[at] == nil {
		b.pages[at] = page{}
		b.order = append(b.order, at)
	}
	for _, t := range traces {
		if !t.memorable() {
			continue
		}
		if _, known := b.pages[at][t.subject]; !known {
			b.weight += t.subject.weight()
		}
		b.pages[at][t.subject] = t.progress
	}
	for ; b.weight > b.most; b.order = slices.Delete(b.order, 0, 1) {
		for s := range b.pages[b.order[0]] {
			b.weight -= s.weight()
		}
		delete(b.pages, b.order[0])
	}
}
