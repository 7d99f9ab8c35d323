// Package openfeature is a provider for OpenFeature's Go SDK that evaluates in the process: it follows an environment over one connection, and
// asks nobody when a flag is read.
//
//	provider := trunkline.New(local.Options{Options: client.Options{URL: "https://config.example", Env: "prod"}})
//	err := openfeature.SetProviderAndWait(provider)
//	flags := openfeature.NewDefaultClient()
//	ranking := flags.Boolean(ctx, "search.newRanking", false, openfeature.NewEvaluationContext(user.ID, nil))
//
// A flag's key is the path of a value of the configuration. What it is for somebody is what package local, and every server of the same
// environment, would say. The credential needs the right define.
package openfeature

import (
	"context"
	"errors"
	"sync"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
)

// Provider is a provider of OpenFeature. The SDK starts it and shuts it down; it may be started again after that.
type Provider struct {
	o         local.Options
	announcer *announcer

	mu  sync.RWMutex
	run *run // nil while it is not started
}

// run is what is between a start and a shutdown.
type run struct {
	client *local.Client
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

var (
	_ openfeature.FeatureProvider          = (*Provider)(nil)
	_ openfeature.ContextAwareStateHandler = (*Provider)(nil)
	_ openfeature.EventHandler             = (*Provider)(nil)
)

// New makes a provider of what is followed with the options, whose OnEvent is still called.
func New(o local.Options) *Provider { return &Provider{o: o, announcer: newAnnouncer()} }

// Metadata names the provider.
func (p *Provider) Metadata() openfeature.Metadata { return openfeature.Metadata{Name: name} }

const name = "Trunkline"

// Hooks are none.
func (p *Provider) Hooks() []openfeature.Hook { return nil }

// EventChannel tells when flags may have changed, and when they are stale or what is live again.
func (p *Provider) EventChannel() <-chan openfeature.Event { return p.announcer.events }

// Init is InitWithContext without an end.
func (p *Provider) Init(of openfeature.EvaluationContext) error {
	return p.InitWithContext(context.Background(), of)
}

// InitWithContext begins to follow, and returns when there are values. Where the server refuses for good that is fatal. When ctx ends before
// there are values nothing is left running.
func (p *Provider) InitWithContext(ctx context.Context, _ openfeature.EvaluationContext) error {
	r, err := p.start()
	if err != nil {
		return fatal(err)
	}
	if err := r.client.Wait(ctx); err != nil {
		p.end(r)
		if errors.Is(err, client.ErrRefused) {
			return fatal(err)
		}
		return err
	}
	return nil
}

func fatal(err error) error {
	return &openfeature.ProviderInitError{ErrorCode: openfeature.ProviderFatalCode, Message: err.Error()}
}

// start begins to follow, unless that has begun.
func (p *Provider) start() (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil {
		return p.run, nil
	}
	t := &teller{announcer: p.announcer, told: p.o.OnEvent}
	o := p.o
	o.OnEvent = t.event
	c, err := local.New(o)
	if err != nil {
		return nil, err
	}
	t.client = c
	ctx, stop := context.WithCancel(context.Background())
	r := &run{client: c, stop: stop}
	r.ended.Go(func() { t.ended(c.Run(ctx)) })
	r.ended.Go(func() { p.announcer.run(ctx) })
	p.run = r
	return r, nil
}

// Shutdown ends following, and waits until nothing is left of it.
func (p *Provider) Shutdown() {
	p.mu.RLock()
	r := p.run
	p.mu.RUnlock()
	if r != nil {
		p.end(r)
	}
}

// end ends one run, and no other that was begun since.
func (p *Provider) end(r *run) {
	p.mu.Lock()
	if p.run == r {
		p.run = nil
	}
	p.mu.Unlock()
	r.stop()
	r.ended.Wait()
	r.client.Close()
}

// ShutdownWithContext is Shutdown: there is nothing in it that takes long.
func (p *Provider) ShutdownWithContext(context.Context) error {
	p.Shutdown()
	return nil
}

// following is what to evaluate by; nil before the start and after a shutdown.
func (p *Provider) following() *local.Client {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.run == nil {
		return nil
	}
	return p.run.client
}
