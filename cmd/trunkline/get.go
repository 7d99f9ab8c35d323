package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/trunkline/trunkline/value"
)

type getCmd struct {
	Path string `arg:"" optional:"" help:"Path of the value, as database.primary.pool; everything without it." placeholder:"PATH"`
	attributed
	earlier
	remote
}

func (getCmd) Help() string {
	return `A string is printed as it is, everything else as JSON; with -o json a string is quoted too.

Examples:
  trunkline get checkout.timeout --env prod
  trunkline get search.newRanking -e prod --context role=staff
  trunkline get checkout.timeout -e prod --at 2027-01-31T09:00:00Z
  trunkline get database -e staging -o json | jq .primary`
}

func (c getCmd) Run(ctx context.Context, io *streams) error {
	who, err := c.query()
	if err != nil {
		return err
	}
	body, err := c.ask(ctx, "/v1/config/"+url.PathEscape(c.Path), url.Values{"env": {c.Env}, "at": {c.At}, "context": {who}})
	if err != nil {
		return err
	}
	v, err := value.ParseJSON(body)
	if err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	if v.Kind() == value.String && !c.json() {
		fmt.Fprintln(io.out, v.Str())
		return nil
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return err
	}
	fmt.Fprintln(io.out, indented.String())
	return nil
}
