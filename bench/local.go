package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
)

// localEvaluation measures a program that decides by itself, with the definitions that the server gives it: one flag of an experiment, and a
// hundred of which some are, each time for somebody else.
func (s *suite) localEvaluation(ctx context.Context) (err error) {
	f, err := s.follow(ctx, "local", overrideStory(1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	token, err := f.token(ctx, "local", `{"environments": ["*"], "patterns": ["**"], "rights": ["define"]}`)
	if err != nil {
		return err
	}
	config, err := local.Dial(ctx, local.Options{Options: client.Options{URL: f.process.url, Token: func() (string, error) { return token, nil }}})
	if err != nil {
		return err
	}
	defer config.Close()
	units, missing := make([]func() *local.View, asksFor), 0
	for i := range units {
		who, err := local.Context(map[string]any{"targetingKey": fmt.Sprintf("unit-%d", i), "country": "DE"})
		if err != nil {
			return err
		}
		units[i] = func() *local.View { return config.For(who) }
	}
	turn := 0
	next := func() *local.View {
		turn++
		return units[turn%len(units)]()
	}
	one := func() {
		if next().Int("flags.f7", 0) == 0 {
			missing++
		}
	}
	paths := make([]string, resolvedPaths)
	for i := range paths {
		paths[i] = fmt.Sprintf("flags.f%d", i)
	}
	all := func() {
		v := next()
		for _, path := range paths {
			if v.Int(path, -1) < 0 {
				missing++
			}
		}
	}
	s.locally("one flag under an experiment", one, 1)
	s.locally(fmt.Sprintf("%d flags under %d experiments", resolvedPaths, resolvingOver), all, resolvedPaths)
	if missing > 0 {
		return errors.New("the client does not decide what the experiments set")
	}
	return nil
}

// locally adds the rows of one way to ask, beside hashing alone: an experiment's own two.
func (s *suite) locally(what string, ask func(), flags int) {
	text := []byte("v1\x00salt12\x00unit-123")
	experiments := min(flags, resolvingOver)
	hash := func() {
		for range 2 * experiments {
			sha256.Sum256(text)
		}
	}
	var took, hashing []float64
	for range overrideRounds {
		took, hashing = append(took, perRun(ask)), append(hashing, perRun(hash))
	}
	s.add(row{
		what: "local evaluation: " + what, measured: median(took), limit: median(hashing), compared: true, unit: "ns",
		note: fmt.Sprintf("%.3g allocations, for another unit each time; beside %d SHA-256 of the same bytes; median of %d", testing.AllocsPerRun(100, ask), 2*experiments, overrideRounds),
	})
}
