package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
)

type matrixCmd struct {
	Path string   `arg:"" optional:"" help:"Pattern of the paths to compare; all without it." placeholder:"PATTERN"`
	Env  []string `help:"Environments to compare; all without it." short:"e" placeholder:"NAME" sep:","`
	earlier
	service
}

func (matrixCmd) Help() string {
	return `Prints the paths at which environments differ, or which are missing in some. It needs the right to history.

Examples:
  trunkline matrix 'checkout.**'
  trunkline matrix --env staging,prod --at v1.4`
}

func (c matrixCmd) Run(ctx context.Context, io *streams) error {
	body, err := c.ask(ctx, "/v1/matrix", url.Values{"path": {c.Path}, "env": c.Env, "at": {c.At}})
	if err != nil {
		return err
	}
	if c.json() {
		_, err := io.out.Write(body)
		return err
	}
	var m struct {
		Environments []string
		Unfit        []string
		Paths        []struct {
			Path    string
			Values  map[string]json.RawMessage
			Missing []string
		}
		Total     int
		Truncated bool
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	w := tabwriter.NewWriter(io.out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "path\t"+strings.Join(m.Environments, "\t"))
	for _, row := range m.Paths {
		cells := []string{row.Path}
		for _, env := range m.Environments {
			text := "–"
			if !slices.Contains(row.Missing, env) {
				text = cell(string(row.Values[env]))
			}
			cells = append(cells, text)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	for _, env := range m.Unfit {
		fmt.Fprintf(io.err, "%s is left out: the version does not compile for it\n", env)
	}
	if m.Truncated {
		fmt.Fprintf(io.err, "these are %d of %d: narrow the pattern\n", len(m.Paths), m.Total)
	}
	return w.Flush()
}

// cell is a value short enough for a cell.
func cell(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
