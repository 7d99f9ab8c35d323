package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// Context reads the attributes of somebody: strings, numbers, booleans, and lists and maps of them; anything else as JSON says it. Make it once
// for all that is asked about the same request.
func Context(attributes map[string]any) (experiment.Context, error) {
	v, err := convertMap(attributes, 0)
	if err != nil {
		return experiment.Context{}, fmt.Errorf("the context: %w", err)
	}
	return experiment.ParseContext(v)
}

// convertMap makes a value of attributes, as their JSON would be read.
func convertMap(attributes map[string]any, depth int) (*value.Value, error) {
	entries := make([]value.Entry, 0, len(attributes))
	for key, a := range attributes {
		if !utf8.ValidString(key) {
			return nil, errors.New("a name is not UTF-8")
		}
		v, err := convert(a, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		entries = append(entries, value.Entry{Key: key, Value: v})
	}
	return value.NewMap(entries, value.Place{}), nil
}

func convert(a any, depth int) (*value.Value, error) {
	if depth > experiment.MaxContextDepth {
		return nil, fmt.Errorf("it lies deeper than %d; flatten it", experiment.MaxContextDepth)
	}
	switch a := a.(type) {
	case string:
		if !utf8.ValidString(a) {
			return nil, errors.New("the text is not UTF-8")
		}
		return value.NewString(a, value.Place{}), nil
	case bool:
		return value.NewBool(a, value.Place{}), nil
	case int:
		return value.NewInt(int64(a), value.Place{}), nil
	case int64:
		return value.NewInt(a, value.Place{}), nil
	case float64:
		return number(a)
	case nil:
		return value.NewNull(value.Place{}), nil
	case map[string]any:
		return convertMap(a, depth)
	case []any:
		return list(a, depth)
	case []string:
		return list(a, depth)
	default:
		return written(a)
	}
}

// number is an integer where it has no fraction, as in JSON: so 7.0 names the same unit as 7.
func number(f float64) (*value.Value, error) {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return value.NewInt(int64(f), value.Place{}), nil
	}
	return written(f)
}

// written is what a reader of its JSON would take it for.
func written(a any) (*value.Value, error) {
	data, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return value.ParseJSON(data)
}

func list[T any](items []T, depth int) (*value.Value, error) {
	values := make([]*value.Value, len(items))
	for i, item := range items {
		v, err := convert(item, depth+1)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		values[i] = v
	}
	return value.NewList(values, value.Place{}), nil
}
