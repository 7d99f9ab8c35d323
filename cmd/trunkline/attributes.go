package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// attributed are the flags of verbs whose answer depends on who asks.
type attributed struct {
	Context []string `help:"Who asks: an attribute, as country=DE or app.version=2.3, or all as a JSON object. May be given several times." short:"c" placeholder:"NAME=VALUE" sep:"none"`
}

// context is what the flags say of who asks; nil when they say nothing. A value that reads as JSON is that; all else is a text.
func (a attributed) context() (map[string]any, error) {
	var all map[string]any
	for _, text := range a.Context {
		if all == nil {
			all = map[string]any{}
		}
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				return nil, misused("--context %s: not a JSON object: %w", text, err)
			}
			continue
		}
		name, v, ok := strings.Cut(text, "=")
		path, err := value.ParsePath(name)
		if !ok || err != nil || len(path) == 0 {
			return nil, misused("--context %s: write an attribute as country=DE", text)
		}
		if err := plant(all, path, attribute(v)); err != nil {
			return nil, misused("--context %s: %w", text, err)
		}
	}
	return all, nil
}

func attribute(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

func plant(at map[string]any, path value.Path, v any) error {
	for _, name := range path[:len(path)-1] {
		below, ok := at[name].(map[string]any)
		if at[name] != nil && !ok {
			return fmt.Errorf("%s is not a map", name)
		}
		if !ok {
			below = map[string]any{}
			at[name] = below
		}
		at = below
	}
	at[path[len(path)-1]] = v
	return nil
}

// query is the context as a parameter of a request; "" when there is none.
func (a attributed) query() (string, error) {
	all, err := a.context()
	if all == nil || err != nil {
		return "", err
	}
	text, err := json.Marshal(all)
	return string(text), err
}
