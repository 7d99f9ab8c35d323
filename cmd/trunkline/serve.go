package main

import (
	"context"
	"os"

	"github.com/trunkline/trunkline/server"
)

type serveCmd struct {
	server.Settings
}

func (serveCmd) Help() string {
	return `Examples:
  trunkline serve --repo https://github.com/acme/config
  trunkline serve --repo git@github.com:acme/mono.git --path deploy/config --ssh-key-file /etc/trunkline/key
  TRUNKLINE_GIT_TOKEN=… TRUNKLINE_WEBHOOK_SECRET=… trunkline serve --repo https://github.com/acme/config`
}

func (c serveCmd) Run(ctx context.Context, io *streams) error {
	c.Secrets(os.Getenv)
	s, err := server.New(c.Settings, logger(io.err, c.LogLevel))
	if err != nil {
		return err
	}
	return s.RunWithin(ctx)
}
