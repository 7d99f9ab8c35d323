package compile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

type documentKey struct {
	path string
	hash Hash
}

// parsed is a document that was read.
type parsed struct {
	value    *value.Value // nil when it has errors
	problems []Problem
	secrets  []plainSecret
}

// parse reads a file.
func (c *Compiler) parse(source Source, f file) (*parsed, error) {
	data, err := source.Read(f.hash, MaxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.path, err)
	}
	v, problems := document.Decode(&value.File{Path: f.path}, document.FormatOf(f.path), data, document.Limits{MaxBytes: MaxFileBytes})
	doc := &parsed{value: v, secrets: plainSecrets(v)}
	for _, p := range problems {
		severity := Error
		if p.Warning {
			severity = Warning
		}
		doc.problems = append(doc.problems, Problem{
			Stage: StageDecode, Severity: severity, File: f.path, Line: p.Line, Column: p.Column,
			Rule: p.Rule, Message: p.Message, Hint: p.Hint,
		})
	}
	return doc, nil
}

// document reads a file, or takes it from an earlier commit.
func (r *run) document(f file) (*parsed, error) {
	key := documentKey{f.path, f.hash}
	if doc, ok := r.documents.get(key); ok {
		return doc, nil
	}
	doc, err := r.parse(r.source, f)
	if err == nil {
		r.documents.put(key, doc)
	}
	return doc, err
}

// decode is stage 2: every document is read, those that changed by all processors.
func (r *run) decode(ctx context.Context) error {
	reads := len(r.standing()) > 0
	for _, p := range r.about {
		r.everywhere(p)
	}
	if !reads {
		return nil // what is kept stays kept: the next commit most likely mends this one
	}
	r.documents.next()
	r.parsed = map[string]*parsed{}
	var changed []file
	r.eachFolder(func(f *folder) {
		f.each(func(f file) {
			if doc, ok := r.documents.get(documentKey{f.path, f.hash}); ok {
				r.parsed[f.path] = doc
			} else if readable(f) {
				changed = append(changed, f)
			}
		})
	})
	docs := make([]*parsed, len(changed))
	err := inParallel(ctx, len(changed), func(i int) (err error) {
		docs[i], err = r.parse(r.source, changed[i])
		return err
	})
	if err != nil {
		return err
	}
	for i, f := range changed {
		r.parsed[f.path] = docs[i]
		r.documents.put(documentKey{f.path, f.hash}, docs[i])
	}
	r.reportDecoded()
	return nil
}

// guarded turns a panic into an error: in a goroutine of its own it would end the process.
func guarded(f func(int) error, i int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault of the server, please report it: %v\n%s", p, debug.Stack())
		}
	}()
	return f(i)
}

// inParallel calls f for 0 to n-1 on all processors, each taking the next as it has time, until one fails.
func inParallel(ctx context.Context, n int, f func(int) error) error {
	workers := min(n, runtime.GOMAXPROCS(0))
	errs := make([]error, workers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				if errs[w] = ctx.Err(); errs[w] == nil {
					errs[w] = guarded(f, i)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *run) reportDecoded() {
	report := func(envs []string) func(file) {
		return func(f file) {
			if !readable(f) {
				r.found.add(Problem{
					Stage: StageDecode, Severity: Warning, Environments: envs, File: f.path, Rule: "notRead",
					Message: "the file is not read", Hint: "documents end in .yaml, .yml, .json or .toml",
				})
				return
			}
			for _, p := range r.parsed[f.path].problems {
				p.Environments = envs
				r.found.add(p)
			}
		}
	}
	r.layout.config.each(report(r.all))
	r.layout.schemas.each(report(r.all))
	r.layout.policies.each(report(r.all))
	for _, f := range r.layout.defined {
		f.each(report(r.all))
	}
	for _, name := range slices.Sorted(maps.Keys(r.layout.overlays)) {
		r.layout.overlays[name].each(report(r.own.above(name)))
	}
}
