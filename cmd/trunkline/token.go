package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/value"
)

type tokenCmd struct {
	New    tokenNewCmd    `cmd:"" help:"Make a token and print it, this once."`
	List   tokenListCmd   `cmd:"" help:"Tokens with what they are granted and when they were last used."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke tokens: their sessions end within a second."`
}

type tokenNewCmd struct {
	Name     string   `arg:"" help:"Who it is for; several tokens may have one name, while one takes over from the other."`
	Patterns []string `arg:"" optional:"" help:"What it may read, as checkout.**; everything without them." placeholder:"PATTERN"`
	For      []string `help:"Environments it is for: names, the beginning of names with * after it, or * for all." default:"*" placeholder:"NAME"`
	Right    []string `help:"Rights beside reading: reveal, history, publish, operate, define." placeholder:"RIGHT"`
	Public   bool     `help:"For browsers: it reads what the manifest calls public, publishes, and nothing else."`
	Expires  string   `help:"When it ends: a time, or after so long, as 90d." placeholder:"TIME"`
	service
}

func (tokenNewCmd) Help() string {
	return `The token is printed once and kept nowhere: the server has a digest of it. It needs a token with the right to operate; on the server's
machine its own is found by TRUNKLINE_DATA.

Examples:
  trunkline token new checkout 'checkout.**' --for prod --expires 90d
  trunkline token new dashboards --right history
  trunkline token new website --public --for prod`
}

func (c tokenNewCmd) Run(ctx context.Context, io *streams) error {
	grant, err := c.grant()
	if err != nil {
		return misused("%w", err)
	}
	expires, err := moment(c.Expires, time.Now())
	if err != nil {
		return misused("--expires: %w", err)
	}
	var made api.MadeToken
	asked := api.NewToken{Name: c.Name, Grant: grant, Expires: expires}
	if err := c.act(ctx, http.MethodPost, "/v1/tokens", asked, &made); err != nil {
		return err
	}
	if c.json() {
		return json.NewEncoder(io.out).Encode(made)
	}
	fmt.Fprintln(io.out, made.Text)
	fmt.Fprintf(io.err, "token %s of %s, %s; this is the only time it is shown\n", made.ID, made.Name, until(made.Expires))
	return nil
}

func (c tokenNewCmd) grant() (access.Grant, error) {
	if c.Public {
		if len(c.Patterns)+len(c.Right) > 0 {
			return access.Grant{}, errors.New("a public token has neither patterns nor rights of its own: what it reads stands in the manifest")
		}
		return access.PublicGrant(c.For)
	}
	rights, err := access.ParseRights(c.Right)
	if err != nil {
		return access.Grant{}, err
	}
	patterns := c.Patterns
	if len(patterns) == 0 {
		patterns = []string{"**"}
	}
	return access.NewGrant(c.For, patterns, rights)
}

// moment reads a time, or how long from now it is; "" is none.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	d, err := value.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("%q is neither a time, as 2027-01-31T09:00:00Z, nor how long from now, as 90d", text)
	}
	return now.Add(d).Truncate(time.Second), nil
}

func until(t time.Time) string {
	if t.IsZero() {
		return "never expires"
	}
	return "expires " + t.Format(time.RFC3339)
}

type tokenListCmd struct{ service }

func (c tokenListCmd) Run(ctx context.Context, io *streams) error {
	var list api.TokenList
	if err := c.act(ctx, http.MethodGet, "/v1/tokens", nil, &list); err != nil {
		return err
	}
	if c.json() {
		return json.NewEncoder(io.out).Encode(list)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tENVIRONMENTS\tREADS\tRIGHTS\tEXPIRES\tLAST USED")
	for _, t := range list.Tokens {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, strings.Join(t.Grant.Environments(), " "), readable(t.Grant),
			cmp.Or(strings.Join(t.Grant.Rights().Names(), " "), "-"), moments(t.Expires), moments(t.LastUsed))
	}
	return w.Flush()
}

func readable(g access.Grant) string {
	if g.Public() {
		return "what is public"
	}
	var texts []string
	for _, p := range g.Patterns() {
		texts = append(texts, p.String())
	}
	return cmp.Or(strings.Join(texts, " "), "-")
}

func moments(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}

type tokenRevokeCmd struct {
	Name string `arg:"" help:"ID of a token, or a name: then all tokens that have it."`
	service
}

func (c tokenRevokeCmd) Run(ctx context.Context, io *streams) error {
	var list api.TokenList
	if err := c.act(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(c.Name), nil, &list); err != nil {
		return err
	}
	if c.json() {
		return json.NewEncoder(io.out).Encode(list)
	}
	for _, t := range list.Tokens {
		fmt.Fprintf(io.out, "revoked %s of %s\n", t.ID, t.Name)
	}
	return nil
}
