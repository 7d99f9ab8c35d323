package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	messageFile   = "config/message.yaml"
	promptChanges = 3
	settingOut    = 10 // changes before those that count, of which the server's own work is known
)

// message is a file whose change comes in a message of about so many bytes. n tells it apart from others.
func message(n, bytes int) string {
	return fmt.Sprintf("text: %q\n", filler(n, bytes))
}

// filler is a text that fills a message of about so many bytes.
func filler(n, bytes int) string {
	const around = 250 // bytes of the message beside the text
	return fmt.Sprint(n, strings.Repeat(" trunkline", (bytes-around)/10))
}

// messages are n of them from a number on. Two of the same number would make a change and what takes it back.
func messages(from, n, bytes int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = message(from+i, bytes)
	}
	return texts
}

// broadcasts measures changes to crowds of sessions in a process of their own, from when they are live until the last has them, beside
// write(2) of the same bytes to as many sockets of the same process. Times are by the system's clock, which all processes share: the server
// tells since when a version is live, and the clients when they had it.
func (s *suite) broadcasts(ctx context.Context) error {
	crowds := s.scale.crowds
	if s.scale.most {
		crowds = append(crowds[:len(crowds):len(crowds)], 0)
	}
	for _, n := range crowds {
		if err := s.broadcast(ctx, n); err != nil {
			return fmt.Errorf("%d sessions: %w", n, err)
		}
	}
	return nil
}

// broadcast measures with so many sessions, 0 for as many as there may be.
func (s *suite) broadcast(ctx context.Context, n int) error {
	sizes := []int{smallChange, largeChange}
	texts := messages(0, settingOut+1, smallChange)
	for _, size := range sizes {
		texts = append(texts, messages(len(texts), s.scale.changes+promptChanges, size)...)
	}
	return s.stage(ctx, fmt.Sprintf("broadcast-%d", n), story{file: messageFile, texts: texts}, func(f *followed, w *swarmProcess) error {
		if n == 0 {
			var err error
			if n, err = s.most(f.process); err != nil {
				return err
			}
		}
		if err := s.fits(f.process, n); err != nil {
			return err
		}
		own, err := f.alone(ctx)
		if err != nil {
			return err
		}
		if _, err := w.tell(order{Do: "open", Addr: f.addr(), Sessions: n, Patterns: [][]string{{"message.**"}}}); err != nil {
			return err
		}
		of := make([]told, len(sizes))
		for i := range sizes {
			if of[i], err = f.broadcast(ctx, w, n, s.scale.changes); err != nil {
				return err
			}
			of[i].cost = (of[i].cost - own) * 1e6 / float64(n)
		}
		if err := w.cut(); err != nil {
			return err
		}
		return s.beside(w, n, of)
	})
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

// told is how changes of one size reached all.
type told struct {
	last, first float64 // median ms
	prompt      float64 // until the last, where every client answers at once
	cost        float64 // mean seconds of processor time of a change, which the system tells in large units; µs of a session in the end
	frame       []byte  // what each was sent
}

// alone is the processor time that a change takes without sessions.
func (f *followed) alone(ctx context.Context) (float64, error) {
	var costs []float64
	for range settingOut {
		before, err := f.used()
		if err != nil {
			return 0, err
		}
		if err := f.change(ctx); err != nil {
			return 0, err
		}
		if err := f.judged(ctx, f.next[0]); err != nil {
			return 0, err
		}
		if err := f.quiet(ctx); err != nil {
			return 0, err
		}
		after, err := f.used()
		if err != nil {
			return 0, err
		}
		if _, err := f.changed(ctx); err != nil {
			return 0, err
		}
		costs = append(costs, after-before)
	}
	return mean(costs), nil
}

// broadcast makes changes that all sessions see, and then some that each answers at once.
func (f *followed) broadcast(ctx context.Context, w *swarmProcess, n, changes int) (told, error) {
	t, err := f.broadcastTo(ctx, w, n, changes)
	if err != nil {
		return t, err
	}
	var prompts []float64
	for range promptChanges {
		if err := f.quiet(ctx); err != nil {
			return t, err
		}
		r, err := f.reach(ctx, w, n, true)
		if err != nil {
			return t, err
		}
		prompts = append(prompts, r.last)
	}
	t.prompt = median(prompts)
	return t, nil
}

// broadcastTo makes changes that so many sessions see, which acknowledge each once all have it.
func (f *followed) broadcastTo(ctx context.Context, w *swarmProcess, n, changes int) (t told, err error) {
	var firsts, lasts, costs []float64
	for range changes {
		if err := f.quiet(ctx); err != nil {
			return t, err
		}
		if t, err = f.reach(ctx, w, n, false); err != nil {
			return t, err
		}
		firsts, lasts, costs = append(firsts, t.first), append(lasts, t.last), append(costs, t.cost)
		if err := w.answer(); err != nil {
			return t, err
		}
	}
	t.first, t.last, t.cost = median(firsts), median(lasts), mean(costs)
	return t, nil
}

// reach makes the next change, and tells how it reached so many sessions.
func (f *followed) reach(ctx context.Context, w *swarmProcess, n int, prompt bool) (t told, err error) {
	if err := w.expect(n, prompt); err != nil {
		return t, err
	}
	before, err := f.used()
	if err != nil {
		return t, err
	}
	if err := f.change(ctx); err != nil {
		return t, err
	}
	got, err := w.wait()
	if err != nil {
		return t, err
	}
	after, err := f.used()
	if err != nil {
		return t, err
	}
	since, err := f.changed(ctx)
	if err == nil && got.First < since {
		err = errors.New("a session has a change before it is live: was the system's clock set meanwhile?")
	}
	if err != nil {
		return t, err
	}
	return told{first: float64(got.First-since) / 1e6, last: float64(got.Last-since) / 1e6, cost: after - before, frame: got.Frame}, nil
}

// beside adds the rows, each beside write(2).
func (s *suite) beside(w *swarmProcess, n int, of []told) (err error) {
	raw, err := openRaw(w, n)
	if err != nil {
		return err
	}
	defer func() { raw.close(); err = errors.Join(err, w.cut()) }()
	for _, t := range of {
		last, each, err := raw.broadcast(w, t.frame, s.scale.changes)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("a change of %d bytes to %d sessions", len(t.frame), n)
		s.add(row{
			what: what + ": the last has it, against write(2)", measured: t.last / last, limit: 1.3,
			note: fmt.Sprintf("%.3g ms after it is live, the first %.3g ms; %.3g ms by write(2) on all processors to as many sockets "+
				"of the same process, on the same cores; medians of %d; acknowledged afterwards", t.last, t.first, last, s.scale.changes),
		})
		s.add(row{
			what: what + ": CPU of the server for each", measured: t.cost, limit: each, compared: true, unit: "µs",
			note: "beside that of write(2); without what the change takes when nobody listens",
		})
		s.add(row{
			what: what + ", each answering at once", measured: t.prompt, limit: t.last, compared: true, unit: "ms",
			note: fmt.Sprintf("beside answering afterwards; median of %d", promptChanges),
		})
	}
	return nil
}
