package server

import (
	"context"
	"os"
	"runtime/debug"
	gauges "runtime/metrics"
	"time"
)

const (
	usualGarbage = 100 // percent of what is live, as Go has it
	mostGarbage  = 800

	// leastGarbage is how many bytes of garbage there may be under load. With the few MB of a small repository Go would collect ten times a
	// second, which costs a tenth of all that the server does.
	leastGarbage = 32 << 20

	garbageEvery = 2 * time.Second
	busyCycles   = 2 // in that time
	quietLooks   = 2 // without any, after which the memory is given back
)

// garbage paces the collector: seldom under load, and as usual when there is none, so that an idle server stays small.
type garbage struct {
	percent int
	cycles  uint64 // that were run when it was looked at last
	quiet   int    // looks since the last one
}

// next is how much garbage there may be from now on, in percent of what is live.
func (g *garbage) next(live, cycles uint64) int {
	ran, most := cycles-g.cycles, usualGarbage
	if live > 0 {
		most = int(min(max(leastGarbage*100/live, usualGarbage), mostGarbage))
	}
	g.cycles, g.quiet = cycles, g.quiet+1
	if ran > 0 {
		g.quiet = 0
	}
	switch {
	case ran >= busyCycles && most > g.percent+g.percent/10: // each change stops the world for a moment
		g.percent = most
	case g.quiet >= quietLooks:
		g.percent = usualGarbage
	}
	g.percent = min(g.percent, most)
	return g.percent
}

// collect paces the collector until ctx ends. Whoever sets GOGC decides instead.
func collect(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	defer func() { debug.SetGCPercent(usualGarbage) }()
	ticks := time.NewTicker(garbageEvery)
	defer ticks.Stop()
	read := []gauges.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	gauges.Read(read)
	for g := (garbage{percent: usualGarbage, cycles: read[1].Value.Uint64()}); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
		gauges.Read(read)
		before := g.percent
		now := g.next(read[0].Value.Uint64(), read[1].Value.Uint64())
		if now == before {
			continue
		}
		debug.SetGCPercent(now)
		if g.quiet >= quietLooks {
			debug.FreeOSMemory() // an idle program makes no garbage by which it would be collected
		}
	}
}
