package compile

import (
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// merge is stage 3: the documents of each layer are joined, and the layers laid over each other.
func (r *run) merge() {
	r.values = map[string]*value.Value{}
	if len(r.standing()) == 0 {
		return
	}
	laid := r.base()
	for _, env := range r.served {
		r.lay(env, laid)
		if !r.failed(env) {
			r.values[env] = laid[env].Merged
			r.tooDeep(env)
		}
	}
}

// laid are layers that were laid over those beneath them, by environment; the base is that of "".
type laid map[string]Layer

// base begins a merge with the lowest layer.
func (r *run) base() laid {
	r.merger.Next()
	r.layers.next()
	own := r.layer(r.layout.config)
	base := Layer{Folder: r.own.Directories.Config, Own: own, Merged: r.merger.Base(own)}
	r.conflicts(r.all)
	return laid{"": base}
}

// lay lays the overlays of an environment over each other, those that were not yet.
func (r *run) lay(env string, done laid) {
	for _, link := range r.own.Chain(env) {
		if _, known := done[link]; !known {
			done[link] = r.overlay(link, done[r.own.Environments[link].Extends].Merged)
		}
	}
}

// overlay lays one environment's own values over what is beneath.
func (r *run) overlay(env string, beneath *value.Value) Layer {
	l := Layer{Environment: env, Folder: r.own.Directories.Environments + "/" + env, Own: value.Empty, Merged: beneath, beneath: beneath}
	folder := r.layout.overlays[env]
	touched := r.own.above(env)
	if folder == nil || !slices.ContainsFunc(touched, func(e string) bool { return !r.found.failedBefore(e, StageMerge) }) {
		return l
	}
	l.Own = r.layer(folder)
	l.Merged = r.merger.Merge(beneath, l.Own)
	r.conflicts(touched)
	return l
}

// layer joins the documents of a folder. When they do not fit together they are joined once more from the top, so that conflicts
// are told by their whole paths.
func (r *run) layer(f *folder) *value.Value {
	if joined, fits := r.joined(f); fits {
		return joined
	}
	return r.merger.Union(r.mounts(f, nil))
}

// joined joins what is below a folder, folder by folder, so that one that did not change keeps its value's pointer.
func (r *run) joined(f *folder) (v *value.Value, fits bool) {
	mounts := r.mounts(&folder{files: f.files}, f.mount)
	for _, below := range f.folders {
		v, fits := r.joined(below)
		if !fits {
			return nil, false
		}
		if v != value.Empty {
			mounts = append(mounts, value.Mount{Path: below.mount[len(f.mount):], Value: v})
		}
	}
	if v, ok := r.layers.get(f.key); ok {
		return v, true
	}
	v = r.merger.Union(mounts)
	if len(r.merger.Conflicts()) > 0 {
		return nil, false
	}
	r.layers.put(f.key, v)
	return v, true
}

// mounts are the documents of a folder and of those below it, by their paths below another.
func (r *run) mounts(f *folder, above value.Path) []value.Mount {
	var mounts []value.Mount
	f.each(func(f file) {
		if doc := r.parsed[f.path]; doc != nil && doc.value != nil {
			mounts = append(mounts, value.Mount{Path: f.mount[len(above):], Value: doc.value})
		}
	})
	return mounts
}

// conflicts reports what the merger found, for the environments that the layer is part of.
func (r *run) conflicts(envs []string) {
	for _, c := range r.merger.Conflicts() {
		p := Problem{
			Stage: StageMerge, Environments: envs, Path: c.Path.String(), Pointer: c.Path.Pointer(),
			Rule: c.Rule, Message: c.Message, Hint: c.Hint,
		}.at(c.At)
		if other := (Problem{}).at(c.Other); c.Other != nil && other.File != "" {
			p.Message += "; the other place is " + place(other)
		}
		r.found.add(p)
	}
}

func place(p Problem) string {
	return value.Pos{File: p.File, Line: p.Line, Column: p.Column}.String()
}

// tooDeep refuses values that lie deeper than clients read: folders and documents add up.
func (r *run) tooDeep(env string) {
	if depth := r.values[env].Depth(); depth > value.MaxDepth {
		r.found.add(Problem{
			Stage: StageMerge, Environments: []string{env}, Rule: "tooDeep",
			Message: fmt.Sprintf("folders and documents together are nested %d deep, more than %d", depth, value.MaxDepth),
			Hint:    "flatten the folders or the documents",
		})
	}
}
