package value_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/trunkline/trunkline/value"
)

// numbered is a map of so many scalars.
func numbered(n int) []value.Entry {
	entries := make([]value.Entry, n)
	for i := range entries {
		entries[i] = value.Entry{Key: fmt.Sprintf("service%06d", i), Value: value.NewInt(int64(i), nowhere)}
	}
	return entries
}

func BenchmarkLookup(b *testing.B) {
	root := value.NewMap([]value.Entry{{Key: "checkout", Value: value.NewMap([]value.Entry{{Key: "ui", Value: value.NewMap(numbered(13_000), nowhere)}}, nowhere)}}, nowhere)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := root.Lookup("checkout.ui.service007123"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	flat := numbered(50_000)
	old := value.NewMap(flat, nowhere)
	changed := slices.Clone(flat)
	changed[25_000].Value = value.NewString("changed", nowhere)
	next := value.NewMap(changed, nowhere)
	b.ReportAllocs()
	for b.Loop() {
		if changes := value.Diff(old, next); len(changes) != 1 {
			b.Fatal(changes)
		}
	}
}

func BenchmarkNewMap(b *testing.B) {
	entries := numbered(13_000)
	b.ReportAllocs()
	for b.Loop() {
		value.NewMap(entries, nowhere)
	}
}

func BenchmarkMergeOneChange(b *testing.B) {
	docs := make([]value.Mount, 200)
	for i := range docs {
		docs[i] = value.Mount{Path: value.Path{"dir", fmt.Sprint(i)}, Value: value.NewMap(numbered(500), nowhere)}
	}
	overlay := value.NewMap([]value.Entry{{Key: "dir", Value: value.NewMap([]value.Entry{{Key: "0", Value: value.NewMap(numbered(1), nowhere)}}, nowhere)}}, nowhere)
	m := value.NewMerger()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		docs[i%200].Value = value.NewMap(numbered(500), nowhere)
		b.StartTimer()
		m.Next()
		m.Merge(m.Base(m.Union(docs)), overlay)
	}
}

// BenchmarkShownOneChange redacts for people after one of 200 documents changed.
func BenchmarkShownOneChange(b *testing.B) {
	root := value.Empty
	for i := range 200 {
		entries := append(numbered(500), value.Entry{Key: "url", Value: value.NewString("https://host:8080/path", nowhere)}, value.Entry{Key: "password", Value: value.NewString("x", nowhere)})
		root, _ = root.Set(value.Path{fmt.Sprint(i)}, value.NewMap(entries, nowhere))
	}
	r := value.NewRedactor(redactKey, value.Shown)
	r.Redact(root, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		root, _ = root.Set(value.Path{fmt.Sprint(i % 200), "changed"}, value.NewInt(int64(i), nowhere))
		r.Redact(root, nil)
	}
}
