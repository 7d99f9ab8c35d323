package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/experiment"
)

// stoppable names a rollout or an experiment of an environment.
type stoppable struct {
	Key    string          `arg:"" help:"Rollout or experiment: the name of its file." placeholder:"KEY"`
	Kind   experiment.Kind `help:"rollout or experiment, where both have the name." enum:",rollout,experiment" default:"" placeholder:"KIND"`
	Reason string          `help:"Why; it goes on record." required:"" placeholder:"TEXT"`
	remote
}

type stopCmd struct{ stoppable }

func (stopCmd) Help() string {
	return `Takes a rollout or an experiment out of effect at once: everybody gets what is configured. It lasts until the file changes, or somebody
resumes it. It needs a token with the right to operate; on the server's machine its own is found by TRUNKLINE_DATA.

Example:
  trunkline stop new-ranking --env prod --reason 'searches time out'`
}

func (c stopCmd) Run(ctx context.Context, io *streams) error {
	var made api.StopStatus
	asked := api.NewStop{Environment: c.Env, Kind: c.Kind, Key: c.Key, Reason: c.Reason}
	if err := c.act(ctx, http.MethodPost, "/v1/stops", asked, &made); err != nil {
		return err
	}
	return c.done(io, made, "the %s %s is stopped in %s", made.Kind, made.Key, made.Environment)
}

type resumeCmd struct{ stoppable }

func (resumeCmd) Help() string {
	return `Lets a rollout or an experiment that was stopped into effect again. Where its file is changed instead, the stop ends by itself.

Example:
  trunkline resume new-ranking --env prod --reason 'it was the network'`
}

func (c resumeCmd) Run(ctx context.Context, io *streams) error {
	if err := c.find(ctx); err != nil {
		return err
	}
	path := "/v1/stops/" + url.PathEscape(c.Env) + "/" + url.PathEscape(c.Key)
	var ended api.StopStatus
	if err := c.act(ctx, http.MethodDelete, path, api.StopEnd{Kind: c.Kind, Reason: c.Reason}, &ended); err != nil {
		return err
	}
	return c.done(io, ended, "%s goes on in %s", c.Key, c.Env)
}

// find names the environment in which it is stopped, where the user does not.
func (c *resumeCmd) find(ctx context.Context) error {
	if c.Env != "" {
		return nil
	}
	var list api.StopList
	if err := c.act(ctx, http.MethodGet, "/v1/stops", nil, &list); err != nil {
		return err
	}
	var envs []string
	for _, s := range list.Stops {
		if s.Key == c.Key && (c.Kind == "" || c.Kind == s.Kind) && !slices.Contains(envs, s.Environment) {
			envs = append(envs, s.Environment)
		}
	}
	switch len(envs) {
	case 0:
		return fmt.Errorf("%s is stopped nowhere: see trunkline status", c.Key)
	case 1:
		c.Env = envs[0]
		return nil
	}
	return fmt.Errorf("%s is stopped in %s: name one with --env", c.Key, strings.Join(envs, " and in "))
}
