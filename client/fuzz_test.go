package client_test

import (
	"testing"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/value"
)

// Whatever a server sends as a patch is applied as a whole or refused, and what it is applied to stays.
func FuzzApplyPatch(f *testing.F) {
	const doc = `{"a":{"b":1,"c":[1,{"d":2}]},"e":null,"":{"~/":1}}`
	for _, seed := range []string{
		`[]`, `[{"op":"replace","path":"/a/b","value":2}]`, `[{"op":"remove","path":"/a"},{"op":"add","path":"/a","value":{}}]`,
		`[{"op":"add","path":"//~0~1","value":[]}]`, `[{"op":"replace","path":"","value":1}]`, `[{"op":"add","path":"/a/c/0","value":1}]`, `null`, `[null]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		v, err := value.ParseJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		next, err := client.ApplyPatch(v, patch)
		if (err == nil) != (next != nil) {
			t.Fatalf("%v, %v", next, err)
		}
		if v.String() != `{"":{"~/":1},"a":{"b":1,"c":[1,{"d":2}]},"e":null}` {
			t.Fatalf("what it was applied to is %s now", v)
		}
		if err != nil {
			return
		}
		again, err := value.ParseJSON(next.AppendJSON(nil))
		if err == nil && !value.Equal(again, next) {
			t.Fatalf("%s does not come back", next)
		}
	})
}
