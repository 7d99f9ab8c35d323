package ofrep

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/trunkline/trunkline/experiment"
)

// recent remembers contexts of bodies that came not long ago: who is asked about one flag is mostly asked about others next, in the same
// words. Each body has one place, which the next one takes.
type recent struct {
	seed   maphash.Seed
	places [maxRecent]atomic.Pointer[heard]
}

type heard struct {
	body    string
	context *experiment.Context // nil where nothing is said of anybody
}

func newRecent() *recent { return &recent{seed: maphash.MakeSeed()} }

func (r *recent) place(body []byte) *atomic.Pointer[heard] {
	return &r.places[maphash.Bytes(r.seed, body)%maxRecent]
}

func (r *recent) get(body []byte) *heard {
	if h := r.place(body).Load(); h != nil && h.body == string(body) {
		return h
	}
	return nil
}

func (r *recent) put(body []byte, context *experiment.Context) {
	if len(body) <= maxRecentBody {
		r.place(body).Store(&heard{string(body), context})
	}
}
