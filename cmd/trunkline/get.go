package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/trunkline/trunkline/value"
)

type getCmd struct {
	Path string `arg:"" optional:"" help:"Path of the value, as database.primary.pool; everything without it." placeholder:"PATH"`
	remote
}

func (getCmd) Help() string {
	return `A string is printed as it is, everything else as JSON; with -o json a string is quoted too.

Examples:
  trunkline get checkout.timeout --env prod
  trunkline get database -e staging -o json | jq .primary`
}

func (c getCmd) Run(ctx context.Context, io *streams) error {
	body, err := ask(ctx, c.Server, "/v1/config/"+url.PathEscape(c.Path), url.Values{"env": {c.Env}})
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

const (
	askPatience = 15 * time.Second
	maxAnswer   = 64 << 20
)

// ask reads from a server. Its errors are the server's own words.
func ask(ctx context.Context, server, path string, query url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			query.Del(name)
		}
	}
	address := server + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("--server %s: %w", server, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("no answer from %s: %w; is it running, and is --server right?", server, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("answer from %s: %w", server, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, refusal(res.Status, body)
	}
	return body, nil
}

func refusal(status string, body []byte) error {
	var answer struct {
		Error struct{ Message, Hint string }
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error.Message == "" {
		return fmt.Errorf("the server answers %s", status)
	}
	if answer.Error.Hint == "" {
		return errors.New(answer.Error.Message)
	}
	return fmt.Errorf("%s; %s", answer.Error.Message, answer.Error.Hint)
}
