package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/trunkline/trunkline/value"
)

type queryCmd struct {
	Pattern string  `arg:"" help:"Which values: * is one segment, ** any number of them." placeholder:"PATTERN"`
	Where   string  `help:"Condition that must hold, as JSON." placeholder:"JSON"`
	Limit   int     `help:"Most matches of an answer." default:"100"`
	After   *string `help:"Path after which to go on, as an answer before it told." placeholder:"PATH"`
	attributed
	earlier
	remote
}

func (queryCmd) Help() string {
	return `Prints a path and its value a line; with -o json the server's answer. The exit code is 1 when nothing matches.

Examples:
  trunkline query '**.timeout' --env prod
  trunkline query 'services.*' -e prod --where '{"path": "timeout", "gt": "30s", "as": "duration"}'
  trunkline query '**' -e prod --where '{"type": "redacted"}'`
}

// question is the body of POST /v1/query.
type question struct {
	Pattern string          `json:"pattern"`
	Where   json.RawMessage `json:"where,omitempty"`
	Limit   int             `json:"limit"`
	After   *string         `json:"after,omitempty"`
	Context map[string]any  `json:"context,omitempty"`
}

func (c queryCmd) Run(ctx context.Context, io *streams) error {
	if c.Where != "" && !json.Valid([]byte(c.Where)) {
		return misused("--where is no JSON: write a condition as {\"path\": \"timeout\", \"gt\": 5}")
	}
	who, err := c.context()
	if err != nil {
		return err
	}
	data, err := json.Marshal(question{c.Pattern, json.RawMessage(c.Where), c.Limit, c.After, who})
	if err != nil {
		return err
	}
	token, err := c.token()
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	path := "/v1/query?" + url.Values{"env": {c.Env}, "at": {c.At}}.Encode()
	body, err := call(ctx, c.client(), http.MethodPost, c.Server, token, path, data)
	if err != nil {
		return err
	}
	if c.json() {
		_, err := io.out.Write(body)
		return err
	}
	return showMatches(io, body)
}

func showMatches(io *streams, body []byte) error {
	var answer struct {
		Matches []struct {
			Path  string
			Value json.RawMessage
		}
		Truncated bool
		After     *string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	for _, m := range answer.Matches {
		v, err := value.ParseJSON(m.Value)
		if err != nil {
			return fmt.Errorf("the server's answer: %w", err)
		}
		fmt.Fprintf(io.out, "%s = %s\n", m.Path, v)
	}
	if answer.Truncated && answer.After != nil {
		fmt.Fprintf(io.err, "there may be more: go on with --after %q\n", *answer.After)
	}
	if len(answer.Matches) == 0 && !answer.Truncated {
		return errNo
	}
	return nil
}
