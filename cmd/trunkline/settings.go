package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// settingsFile reads a YAML file whose keys are the names of flags. A flag and an environment variable go before it.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	for name, v := range values {
		if _, written := written(v); !written {
			return nil, fmt.Errorf("settings file: %s: write one value, or a list of values", name)
		}
		if (strings.Contains(name, "token") || strings.Contains(name, "secret")) && !strings.HasSuffix(name, "-file") {
			return nil, fmt.Errorf("settings file: %s: secrets stand in files of their own or in the environment", name)
		}
	}
	return fileResolver(values), nil
}

type fileResolver map[string]any

// Validate refuses names that are no flag.
func (f fileResolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	_ = kong.Visit(app.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	for name := range f {
		if !known[name] {
			return fmt.Errorf("settings file: there is no setting %q", name)
		}
	}
	return nil
}

// Resolve answers what the file says of a flag that nobody set otherwise.
func (f fileResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	v, ok := f[flag.Name]
	if !ok || v == nil { // a name without a value sets nothing
		return nil, nil
	}
	text, _ := written(v)
	return text, nil
}

// written is a value as a flag takes it: a list with commas. It reports false for what no flag takes.
func written(v any) (text string, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		return "", false
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			switch item.(type) {
			case nil, map[string]any, []any:
				return "", false
			}
			texts[i] = fmt.Sprint(item)
		}
		return strings.Join(texts, ","), true
	}
	return fmt.Sprint(v), true
}
