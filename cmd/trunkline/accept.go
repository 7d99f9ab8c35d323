package main

import (
	"context"
	"net/http"

	"github.com/trunkline/trunkline/api"
)

type acceptCmd struct {
	Commit string `arg:"" help:"Commit that is to stand, with all that it was made from, as it is named in trunkline status."`
	Reason string `help:"Why; it goes on record." required:"" placeholder:"TEXT"`
	service
}

func (acceptCmd) Help() string {
	return `Where the manifest asks that commits are signed, or by whom they are made, a commit that is not keeps out all that follow it.
Accepting it asks nothing more of it and of all it was made from, and judges the head once more. It needs a token with the right to
operate; on the server's machine its own is found by TRUNKLINE_DATA.

Example:
  trunkline accept 4be2f1c --reason 'pushed by Ada from her new machine, I asked her'`
}

func (c acceptCmd) Run(ctx context.Context, io *streams) error {
	var accepted api.Accepted
	if err := c.act(ctx, http.MethodPost, "/v1/accept", api.Acceptance{Commit: c.Commit, Reason: c.Reason}, &accepted); err != nil {
		return err
	}
	return c.done(io, accepted, "accepted %s", short(accepted.Commit))
}
