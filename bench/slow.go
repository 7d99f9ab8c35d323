package main

import (
	"context"
	"fmt"
	"slices"
)

// neverReading measures how long healthy clients wait for changes while some others say hello and never read.
func (s *suite) neverReading(ctx context.Context) error {
	without := s.scale.slowChanges / 3
	texts := messages(0, 1+without+s.scale.slowChanges, largeChange)
	return s.stage(ctx, "slow", story{file: messageFile, texts: texts}, func(f *followed, w *swarmProcess) error {
		if err := s.fits(f.process, s.scale.healthy+neverRead); err != nil {
			return err
		}
		usual, _, err := f.worst(ctx, w, order{Sessions: s.scale.healthy}, without)
		if err != nil {
			return err
		}
		if err := w.cut(); err != nil {
			return err
		}
		worst, most, err := f.worst(ctx, w, order{Sessions: s.scale.healthy + neverRead, Deaf: neverRead}, s.scale.slowChanges)
		if err != nil {
			return err
		}
		var status struct{ Sessions int }
		if err := f.get(ctx, "/v1/status", &status); err != nil {
			return err
		}
		s.add(row{
			what:     fmt.Sprintf("%d of %d sessions never read: the worst wait of the others", neverRead, s.scale.healthy+neverRead),
			measured: worst, limit: 50, unit: "ms",
			note: fmt.Sprintf("%d changes of %d bytes, from when each is live until the last of %d has it, of 99 of 100 within %.3g ms; "+
				"%.3g ms of %d changes without the %d, of whom %d are still connected at the end",
				s.scale.slowChanges, largeChange, s.scale.healthy, most, usual, without, neverRead, status.Sessions-s.scale.healthy),
		})
		return nil
	})
}

// worst opens sessions and makes changes, and tells how long, in ms, a client that reads had to wait at most, and at 99 of 100 changes.
func (f *followed) worst(ctx context.Context, w *swarmProcess, o order, changes int) (worst, most float64, err error) {
	o.Do, o.Addr, o.Patterns = "open", f.addr(), [][]string{{"message.**"}}
	if _, err := w.tell(o); err != nil {
		return 0, 0, err
	}
	waits := make([]float64, changes)
	for i := range waits {
		t, err := f.reach(ctx, w, o.Sessions-o.Deaf, true)
		if err != nil {
			return 0, 0, err
		}
		waits[i] = t.last
	}
	slices.Sort(waits)
	return waits[changes-1], quantile(waits, 0.99), nil
}
