package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// swarmProcess is a process of clients: what they take of processor and memory is none of the server's, nor of who measures.
type swarmProcess struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	reports *json.Decoder
}

func startSwarm(ctx context.Context) (*swarmProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, swarmArg)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &swarmProcess{cmd: cmd, in: in, orders: json.NewEncoder(in), reports: json.NewDecoder(out)}, nil
}

// tell gives an order and waits until it is obeyed.
func (w *swarmProcess) tell(o order) (report, error) {
	if err := w.orders.Encode(o); err != nil {
		return report{}, fmt.Errorf("tell the clients: %w", err)
	}
	var r report
	if err := w.reports.Decode(&r); err != nil {
		return report{}, fmt.Errorf("hear of the clients: %w", err)
	}
	if r.Error != "" {
		return report{}, errors.New("clients: " + r.Error)
	}
	return r, nil
}

func (w *swarmProcess) expect(n int, prompt bool) error {
	_, err := w.tell(order{Do: "expect", Sessions: n, Prompt: prompt})
	return err
}

func (w *swarmProcess) wait() (report, error) { return w.tell(order{Do: "wait"}) }

// answer has all clients acknowledge what they have.
func (w *swarmProcess) answer() error {
	_, err := w.tell(order{Do: "answer"})
	return err
}

func (w *swarmProcess) cut() error {
	_, err := w.tell(order{Do: "cut"})
	return err
}

// stop ends the process with its clients.
func (w *swarmProcess) stop() error {
	_ = w.in.Close()
	late := time.AfterFunc(swarmPatience, func() { _ = w.cmd.Process.Kill() })
	defer late.Stop()
	return w.cmd.Wait()
}

// stage starts a server on a repository, and a process of clients, and ends both.
func (s *suite) stage(ctx context.Context, name string, of story, measure func(*followed, *swarmProcess) error, args ...string) (err error) {
	f, err := s.follow(ctx, name, of, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	w, err := startSwarm(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	return measure(f, w)
}
