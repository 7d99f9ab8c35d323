package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/trunkline/trunkline/api"
)

type pinCmd struct {
	Env     string `arg:"" help:"Environment to hold." placeholder:"ENV"`
	Commit  string `arg:"" help:"Version to hold it at, by seven digits of its name or more."`
	Reason  string `help:"Why; it goes on record." required:"" placeholder:"TEXT"`
	Expires string `help:"When the pin ends: a time, or after so long, as 2h. It does not end by falling back into what it fled from." placeholder:"TIME"`
	service
}

func (pinCmd) Help() string {
	return `Holds an environment at a version that compiles and fits its schemas, at once, whatever is pushed meanwhile. Judging goes on: status
tells which version waits. It needs a token with the right to operate; on the server's machine its own is found by TRUNKLINE_DATA.

Examples:
  trunkline pin prod 4be2f1c --reason 'checkout fails since 77ad'
  trunkline pin prod 4be2f1c --reason 'launch' --expires 4h`
}

func (c pinCmd) Run(ctx context.Context, io *streams) error {
	expires, err := moment(c.Expires, time.Now())
	if err != nil {
		return misused("--expires: %w", err)
	}
	var made api.PinStatus
	asked := api.NewPin{Environment: c.Env, Commit: c.Commit, Reason: c.Reason, Expires: expires}
	if err := c.act(ctx, http.MethodPost, "/v1/pins", asked, &made); err != nil {
		return err
	}
	return c.done(io, made, "%s is held at %s", c.Env, short(made.Commit))
}

type unpinCmd struct {
	Env    string `arg:"" help:"Environment to let go on." placeholder:"ENV"`
	Reason string `help:"Why; it goes on record." required:"" placeholder:"TEXT"`
	Force  bool   `help:"Also back to the version that was fled from."`
	service
}

func (unpinCmd) Help() string {
	return `Lets an environment go on to its newest valid version, if that is newer than the one it was pinned to flee from.

Example:
  trunkline unpin prod --reason 'mended by 9c1d'`
}

func (c unpinCmd) Run(ctx context.Context, io *streams) error {
	var ended api.PinStatus
	if err := c.act(ctx, http.MethodDelete, "/v1/pins/"+url.PathEscape(c.Env), api.PinEnd{Reason: c.Reason, Force: c.Force}, &ended); err != nil {
		return err
	}
	return c.done(io, ended, "%s goes on", c.Env)
}
