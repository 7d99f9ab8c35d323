package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// storms measures many sessions whose connections are all cut at once, and which come back at once, without the pauses that clients
// make: from then until the last has a change that went live meanwhile, and the most memory that the server takes. Beside it stands the
// least that upgrades as many connections and answers a hello with the same bytes.
func (s *suite) storms(ctx context.Context) error {
	texts := messages(0, 1+s.scale.storms, largeChange)
	return s.stage(ctx, "storm", story{file: messageFile, texts: texts}, func(f *followed, w *swarmProcess) error {
		n := s.scale.storm
		if err := s.fits(f.process, n); err != nil {
			return err
		}
		open := order{Do: "open", Addr: f.addr(), Sessions: n, Patterns: [][]string{{"message.**"}}}
		if _, err := w.tell(open); err != nil {
			return err
		}
		var ours, most []float64
		var sent []byte
		for range s.scale.storms {
			took, peak, frame, err := f.storm(ctx, w, open)
			if err != nil {
				return err
			}
			ours, most, sent = append(ours, took), append(most, peak), frame
		}
		if err := w.cut(); err != nil {
			return err
		}
		theirs, theirMost, err := s.bareStorm(ctx, w, n, sent)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%d sessions are cut and come back at once", n)
		note := fmt.Sprintf("with the cursors they had, %d dialling at a time; beside gorilla/websocket that answers a hello with the same %d bytes; "+
			"median of %d", swarmDialers, len(sent), s.scale.storms)
		s.add(row{what: what + ": all have what is live", measured: median(ours), limit: median(theirs), compared: true, unit: "s", note: note})
		s.add(row{what: what + ": the most memory of the server", measured: median(most), limit: median(theirMost), compared: true, unit: "MB", note: note})
		return nil
	})
}

// storm cuts all sessions, lets a change go live, and has them come back.
func (f *followed) storm(ctx context.Context, w *swarmProcess, open order) (took, peak float64, frame []byte, err error) {
	if err := w.cut(); err != nil {
		return 0, 0, nil, err
	}
	if err := f.change(ctx); err != nil {
		return 0, 0, nil, err
	}
	if err := f.judged(ctx, f.next[0]); err != nil {
		return 0, 0, nil, err
	}
	if err := f.quiet(ctx); err != nil {
		return 0, 0, nil, err
	}
	if _, err := f.changed(ctx); err != nil {
		return 0, 0, nil, err
	}
	open.Resume = true
	return gust(w, open, f.cmd.Process.Pid)
}

// gust has sessions come, and tells how long it took in s until all had their values, and the most memory of the server in MB.
func gust(w *swarmProcess, open order, pid int) (took, peak float64, frame []byte, err error) {
	if err := forgetPeak(pid); err != nil {
		return 0, 0, nil, err
	}
	got, err := w.tell(open)
	if err != nil {
		return 0, 0, nil, err
	}
	peak, err = memoryOf(pid, "VmHWM:")
	return float64(got.Last-got.Began) / 1e9, peak, got.Frame, err
}

// forgetPeak has the system begin anew with the most memory that a process had.
func forgetPeak(pid int) error {
	return os.WriteFile(filepath.Join("/proc", strconv.Itoa(pid), "clear_refs"), []byte("5"), 0)
}

// bareStorm is the same to a bare server, which has no cursors to look at.
func (s *suite) bareStorm(ctx context.Context, w *swarmProcess, n int, frame []byte) (took, most []float64, err error) {
	_, payload, err := cutFrame(frame)
	if err != nil || payload == nil {
		return nil, nil, errors.Join(errors.New("nothing was sent to those that came back"), err)
	}
	bare, err := s.startBare(ctx, payload)
	if err != nil {
		return nil, nil, err
	}
	defer bare.stop()
	open := order{Do: "open", Addr: bare.addr, Sessions: n, Patterns: [][]string{{"message.**"}}}
	for range s.scale.storms {
		t, m, _, err := gust(w, open, bare.cmd.Process.Pid)
		if err := errors.Join(err, w.cut()); err != nil {
			return nil, nil, err
		}
		took, most = append(took, t), append(most, m)
	}
	return took, most, nil
}
