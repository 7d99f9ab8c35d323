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
	see  func(*value.Value) *value.Value // nil: all that stands there counts, and what is found is worth remembering
	now  *value.Value                    // nil where nothing stands
	open bool                            // the commit is not found yet
	progress
}

// subject is what is followed.
type subject struct {
	layer string // an environment, "" for the base, or effective
	path  string
}

// effective is no layer but all of them together. No environment is called so.
const effective = "*"

// progress is how far something was followed.
type progress struct {
	since gitsync.Hash // the oldest commit that is known to have it as it is
	equal bool         // the commit that was reached has it; otherwise that one cannot be read
	older bool         // nothing beyond the commit that was reached was looked at
	until gitsync.Hash // the commit that was reached, from which the next walk goes on; zero when none will
}

func newTrace(layer string, at value.Path, now *value.Value) *trace {
	return &trace{subject: subject{layer, at.String()}, at: at, now: now}
}

// file is where it stands; empty for what a layer says, because that is asked of all layers at one path.
func (t *trace) file() string {
	if t.layer != effective {
		return ""
	}
	return t.now.Pos().File
}

// follows tells whether commits are to be read for it. Those that lie above the one where an earlier walk stopped were.
func (t *trace) follows() bool { return t.open && t.until.IsZero() }

// compare holds it against the layers of the next older commit. One that cannot be read says nothing, and what lies beneath it does.
func (t *trace) compare(layers []compile.Layer, readable bool) {
	if t.follows() {
		t.equal = readable && value.Equal(t.in(layers), t.now)
		t.open = !readable || t.equal
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
	mu    sync.Mutex
	pages map[version]map[subject]progress
	order []version // oldest first
	count int
}

func newBlames() blames { return blames{pages: map[version]map[subject]progress{}} }

// recall takes up what is known of things that a version has as they are.
func (b *blames) recall(at version, traces []*trace) {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.pages[at]
	if page == nil {
		return
	}
	for _, t := range traces {
		if p, known := page[t.subject]; known && t.see == nil && t.follows() && t.equal {
			t.progress, t.open = p, !p.until.IsZero()
		}
	}
}

// remember keeps what was found. The pages that were begun first make room.
func (b *blames) remember(at version, traces []*trace) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages[at] == nil {
		b.pages[at] = map[subject]progress{}
		b.order = append(b.order, at)
	}
	page := b.pages[at]
	b.count -= len(page)
	for _, t := range traces {
		if t.see == nil {
			page[t.subject] = t.progress
		}
	}
	for b.count += len(page); b.count > maxBlames && len(b.order) > 1; b.order = slices.Delete(b.order, 0, 1) {
		b.count -= len(b.pages[b.order[0]])
		delete(b.pages, b.order[0])
	}
}
