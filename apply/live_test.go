package apply_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

func TestLiveAllocatesNothing(t *testing.T) {
	h := newHistory()
	p := start(t, h, newLog())
	p.see(h.commit(repo("x: 1\n")))
	if n := testing.AllocsPerRun(100, func() {
		if p.live.Get("prod") == nil || p.live.Get("none") != nil || p.live.Changed() == nil {
			t.Fatal("nothing is live")
		}
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
	if apply.NewLive().Get("prod") != nil {
		t.Error("an empty Live serves something")
	}
}

// Readers that wait for a change see every last version, whenever they begin; no environment is seen without the other.
func TestLiveWakesItsReaders(t *testing.T) {
	h := newHistory()
	heads := []gitsync.Hash{h.commit(repo("x: 0\n"))}
	for i := range 30 {
		heads = append(heads, h.commit(repo(fmt.Sprintf("x: %d\n", i+1)), heads[i]))
	}
	p := start(t, h, newLog())
	last := heads[len(heads)-1]
	var readers sync.WaitGroup
	for range 20 {
		readers.Go(func() {
			for {
				changed := p.live.Changed()
				v := p.live.Get("prod")
				if (v != nil) != (len(p.live.Environments()) == 2) && v != nil {
					t.Errorf("environments %v", p.live.Environments())
				}
				if v != nil && v.Commit.Hash == last {
					return
				}
				_ = p.rec.Status()
				<-changed
			}
		})
	}
	p.see(heads...)
	readers.Wait()
}
