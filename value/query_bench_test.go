package value_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value"
)

// services is a tree of some 10 MB as JSON: 200 files of 210 services, each of a dozen values.
func services(t testing.TB) *value.Value {
	files := make([]value.Entry, 200)
	for i := range files {
		var b strings.Builder
		for j := range 210 {
			fmt.Fprintf(&b, `, "service-%03d": {"owner": "team-%02d", "timeout": "%ds", "retries": %d, "enabled": true, "weight": 0.%d,
				"endpoint": {"host": "service-%03d.prod.example.com", "port": %d, "path": "/api/v1/things"},
				"labels": ["prod", "zone-%d", "tier-one"]}`, j, (i+j)%40, 1+(i*j)%90, j%7, 1+j%9, j, 8000+j, j%3)
		}
		files[i] = value.Entry{Key: fmt.Sprintf("file-%03d", i), Value: parse(t, "{"+b.String()[1:]+"}")}
	}
	return value.NewMap(files, nowhere)
}

func BenchmarkQuery(b *testing.B) {
	root := services(b)
	b.Logf("%d MB, %d values", len(root.AppendJSON(nil))/1e6, root.Weight())
	for name, text := range map[string]string{
		"everything, equal":    where(`{"eq": "service-209.prod.example.org"}`),
		"everything, folded":   where(`{"contains": "EXAMPLE.ORG", "ignoreCase": true}`),
		"everything, matched":  where(`{"matches": "^[a-z0-9-]+\\.prod\\.example\\.org$"}`),
		"deep, duration":       `{"pattern": "**.timeout", "where": {"gt": "95s", "as": "duration"}}`,
		"wildcards, three":     `{"pattern": "*.*", "where": {"all": [{"path": "endpoint.port", "gte": 9000}, {"not": {"path": "owner", "startsWith": "team-"}}, {"path": "labels", "contains": "test"}]}}`,
		"one path":             `{"pattern": "file-100.service-100.timeout"}`,
		"everything, the last": `{"pattern": "**", "after": "file-199.service-209.weight"}`,
	} {
		q := query(b, text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := q.Run(root, value.QueryBudget{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	root := services(b)
	for name, path := range map[string]string{"found": "file-100.service-100.endpoint.port", "missing": "file-100.service-100.endpoint.none"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := value.Get(root, path, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
