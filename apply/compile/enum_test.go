package compile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
)

// TestManyAllowedValues holds that a long list of allowed values is told in a few words, however many values are none of them.
func TestManyAllowedValues(t *testing.T) {
	var allowed, found []string
	for i := range 10_000 {
		allowed, found = append(allowed, fmt.Sprintf(`"allowed-%d"`, i)), append(found, fmt.Sprintf(`"found-%d"`, i))
	}
	result := compiled(t, map[string]string{
		"config/a.json":         `{"items": [` + strings.Join(found, ",") + `]}`,
		"schemas/a.schema.json": `{"properties": {"items": {"items": {"enum": [` + strings.Join(allowed, ",") + `]}}}}`,
	}, nil)
	if result.Valid("default") || len(result.Problems) > compile.MaxProblems {
		t.Fatalf("valid %t with %d problems", result.Valid("default"), len(result.Problems))
	}
	for _, p := range result.Problems {
		if len(p.Message) > 400 || !strings.Contains(p.Message, "and 9990 more") {
			t.Fatalf("message: %s", p.Message)
		}
	}
}
