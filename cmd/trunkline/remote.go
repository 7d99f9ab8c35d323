package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunkline/trunkline/access"
)

// remote are the flags of verbs that ask a server of one environment.
type remote struct {
	service
	Env string `help:"Environment; may be left out where there is only one." short:"e" env:"TRUNKLINE_ENV" placeholder:"NAME"`
}

// service are the flags of verbs that ask a server.
type service struct {
	Server    string `help:"URL of the server." default:"http://127.0.0.1:7420" env:"TRUNKLINE_SERVER" placeholder:"http://127.0.0.1:7420"`
	TokenFile string `help:"File with the token to show (or set TRUNKLINE_TOKEN)." env:"TRUNKLINE_TOKEN_FILE" placeholder:"FILE"`
	trust
	output
}

// token is the credential that the user names; empty when there is none.
func (r service) token() (string, error) {
	if r.TokenFile == "" {
		return os.Getenv("TRUNKLINE_TOKEN"), nil
	}
	data, err := os.ReadFile(r.TokenFile)
	return strings.TrimSpace(string(data)), err
}

// following is the token as a client asks for it; nil when there is none.
func (r service) following() func() (string, error) {
	if r.TokenFile == "" && os.Getenv("TRUNKLINE_TOKEN") == "" {
		return nil
	}
	return r.token
}

// operatorToken is the credential of verbs that act: what the user names, or on the server's machine the token that it left in its
// data directory.
func (r service) operatorToken() (string, error) {
	const want = "this needs a token with the right to operate: name one with --token-file or TRUNKLINE_TOKEN"
	token, err := r.token()
	if token != "" || err != nil {
		return token, err
	}
	if !r.local() {
		return "", errors.New(want)
	}
	file := filepath.Join(cmp.Or(os.Getenv("TRUNKLINE_DATA"), "trunkline-data"), access.OperatorFile)
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("%s, or run it on the server's machine with TRUNKLINE_DATA set to its --data (there is no %s)", want, file)
	case err != nil:
		return "", fmt.Errorf("the server's operator token: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// local tells whether the server is on this machine.
func (r service) local() bool {
	u, err := url.Parse(r.Server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

const (
	askPatience = 30 * time.Second
	maxAnswer   = 64 << 20
)

// ask reads from the server.
func (r service) ask(ctx context.Context, path string, query url.Values) ([]byte, error) {
	token, err := r.token()
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	return r.askAs(ctx, token, path, query)
}

// askAs reads from the server with a credential.
func (r service) askAs(ctx context.Context, token, path string, query url.Values) ([]byte, error) {
	return call(ctx, r.client(), http.MethodGet, r.Server, token, queried(path, query), nil)
}

// act asks the server to do something, and reads its answer into out.
func (r service) act(ctx context.Context, method, path string, in, out any) error {
	token, err := r.operatorToken()
	if err != nil {
		return err
	}
	var data []byte
	if in != nil {
		if data, err = json.Marshal(in); err != nil {
			return err
		}
	}
	body, err := call(ctx, r.client(), method, r.Server, token, path, data)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	return nil
}

// ask reads from a server of this machine.
func ask(ctx context.Context, server, token, path string, query url.Values) ([]byte, error) {
	return call(ctx, http.DefaultClient, http.MethodGet, server, token, queried(path, query), nil)
}

// queried is a path with what is said of a query.
func queried(path string, query url.Values) string {
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			query.Del(name)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// call makes one request. Its errors are the server's own words.
func call(ctx context.Context, by *http.Client, method, server, token, path string, body []byte) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askPatience)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, method, server+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("--server %s: %w", server, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := by.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("no answer from %s: %w; %s", server, err, distrusted(err))
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("answer from %s: %w", server, err)
	}
	if res.StatusCode/100 != 2 {
		return nil, refusal(res.Status, answer)
	}
	return answer, nil
}

func refusal(status string, body []byte) error {
	var answer struct {
		Error struct{ Message, Hint string }
	}
	if bytes.HasPrefix(body, []byte("Client sent an HTTP request to an HTTPS server")) { // as net/http words it
		return errors.New("the server speaks TLS: begin its address with https://, in --server or TRUNKLINE_SERVER")
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error.Message == "" {
		return fmt.Errorf("the server answers %s", status)
	}
	if answer.Error.Hint == "" {
		return errors.New(answer.Error.Message)
	}
	if strings.HasSuffix(answer.Error.Message, "?") {
		return fmt.Errorf("%s Else %s", answer.Error.Message, answer.Error.Hint)
	}
	return fmt.Errorf("%s; %s", answer.Error.Message, answer.Error.Hint)
}
