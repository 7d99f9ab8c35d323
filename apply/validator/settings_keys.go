package validator

import (
	"slices"

	"github.com/trunkline/trunkline/value"
)

// known refuses keys that mean nothing here.
func (r *reader) known(in *value.Value, keys []string) {
	for _, e := range in.Entries() {
		if slices.Contains(keys, e.Key) {
			continue
		}
		r.wrong(e.Value, value.Suggestion(e.Key, keys, "known here are "), "there is no setting %q", e.Key)
	}
}

func (r *reader) flag(in *value.Value, key string) bool {
	v, ok := in.Get(key)
	if ok && v.Kind() != value.Bool {
		r.wrong(v, "write "+key+": true, or remove the line", "%s is %s", key, shown(v))
	}
	return ok && v.Bool()
}

// texts reads a list of strings.
func (r *reader) texts(v *value.Value, key, example string) []string {
	if v.Kind() != value.List {
		r.wrong(v, "write "+key+": "+example, "%s is %s and not a list", key, v.Kind().Article())
		return nil
	}
	var texts []string
	for _, e := range v.Entries() {
		if e.Value.Kind() != value.String {
			r.wrong(e.Value, "quote it", "in %s stands %s and not a string", key, e.Value.Kind().Article())
			continue
		}
		texts = append(texts, e.Value.Str())
	}
	return texts
}

// shown is a scalar as an error tells it, or what else stands there.
func shown(v *value.Value) string {
	if v.Len() > 0 {
		return v.Kind().Article()
	}
	return oneLine(v.String(), maxRule)
}
