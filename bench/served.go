package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trunkline/trunkline/internal/gittest"
)

const (
	ramps     = 2
	rampAhead = 5 * time.Second // at least, from the push of a ramp to its step, which is at a whole minute
)

// servedOverrides measures changes that overrides bring to sessions, each of which says who it is and takes part in many experiments: so all
// of them see something else. One of the experiments is changed, and rollouts come to a step of their ramps.
func (s *suite) servedOverrides(ctx context.Context) error {
	return s.stage(ctx, "served", overrideStory(s.scale.changes), func(f *followed, w *swarmProcess) error {
		n := s.scale.overrideCrowd
		if err := s.fits(f.process, n); err != nil {
			return err
		}
		open := order{Do: "open", Addr: f.addr(), Sessions: n, Patterns: [][]string{{"flags.**"}}, Context: true}
		came, err := w.tell(open)
		if err != nil {
			return err
		}
		if bytes.Contains(came.Frame, []byte(`"f0":0`)) {
			return errors.New("the sessions are not given what the experiments set")
		}
		changed, err := f.broadcastTo(ctx, w, n, s.scale.changes)
		if err != nil {
			return err
		}
		stepped, err := f.steps(ctx, w, n)
		if err != nil {
			return err
		}
		if err := w.cut(); err != nil {
			return err
		}
		return s.besideBytes(w, n, changed, stepped)
	})
}

// besideBytes adds the rows, each beside write(2) of the same bytes.
func (s *suite) besideBytes(w *swarmProcess, n int, changed, stepped told) error {
	raw, err := openRaw(w, n)
	if err != nil {
		return err
	}
	defer raw.close()
	for _, c := range []struct {
		what, since string
		told
		times int
	}{
		{"a change of one experiment", "after it is live", changed, s.scale.changes}, {"a step of a ramp", "after its time", stepped, ramps},
	} {
		last, _, err := raw.broadcast(w, c.frame, s.scale.changes)
		if err != nil {
			return err
		}
		s.add(row{
			what:     fmt.Sprintf("%d sessions under %d experiments: %s", n, resolvingOver, c.what),
			measured: c.last, limit: last, compared: true, unit: "ms",
			note: fmt.Sprintf("the last has it %.3g ms %s, the first %.3g ms, and each sees other values; beside write(2) of %d bytes to as many sockets; median of %d",
				c.last, c.since, c.first, len(c.frame), c.times),
		})
	}
	return w.cut()
}

// steps has rollouts whose ramps have one step, of nobody to everybody, come to it, and tells how it reached all sessions.
func (f *followed) steps(ctx context.Context, w *swarmProcess, n int) (t told, err error) {
	if err := git(ctx, f.remote.work, "pull", "--quiet", "origin", "main"); err != nil {
		return t, err
	}
	var firsts, lasts []float64
	for i := range ramps {
		at := time.Now().Add(rampAhead + time.Minute).Truncate(time.Minute)
		if err := write(f.remote.work, fmt.Sprintf("rollouts/ramp%d.json", i), rampText(i, at)); err != nil {
			return t, err
		}
		if err := f.remote.push(ctx, fmt.Sprintf("Ramp %d", i)); err != nil {
			return t, err
		}
		if err := w.expect(n, false); err != nil {
			return t, err
		}
		if err := f.announced(ctx); err != nil {
			return t, err
		}
		got, err := w.wait()
		if err != nil {
			return t, err
		}
		if got.First < at.UnixNano() {
			return t, fmt.Errorf("the step of %s was taken %s before", at, time.Duration(at.UnixNano()-got.First))
		}
		firsts, lasts, t.frame = append(firsts, float64(got.First-at.UnixNano())/1e6), append(lasts, float64(got.Last-at.UnixNano())/1e6), got.Frame
		if err := errors.Join(w.answer(), f.quiet(ctx)); err != nil {
			return t, err
		}
	}
	t.first, t.last = median(firsts), median(lasts)
	return t, nil
}

// announced announces what was pushed from the work tree, and waits until it is live.
func (f *followed) announced(ctx context.Context) error {
	head, err := gittest.Command(ctx, f.remote.work, "rev-parse", "HEAD").Output()
	if err != nil {
		return err
	}
	if err := announce(ctx, f.process.url, f.url); err != nil {
		return err
	}
	f.next = []string{strings.TrimSpace(string(head))}
	if err := f.judged(ctx, f.next[0]); err != nil {
		return err
	}
	_, err = f.changed(ctx)
	return err
}

// rampText is a rollout of a flag that no experiment sets.
func rampText(i int, at time.Time) string {
	return fmt.Sprintf(`{"environments": ["default"], "unit": "targetingKey", "salt": "ramp%02d", "set": {"flags.f%d": 1},
  "rules": [{"name": "all", "ramp": {"start": %q, "steps": [{"after": "0h", "percentage": "100%%"}]}}]}`, i, resolvedPaths-1-i, at.UTC().Format(time.RFC3339))
}
