package main

import (
	"cmp"
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
)

// source is the tree with the files in it.
func (n *newFiles) source() (compile.Source, compile.Hash, error) {
	d := &draftSource{n.tree.source, map[compile.Hash][]compile.Entry{}, map[compile.Hash][]byte{}}
	root := n.tree.root
	for _, f := range n.files {
		var err error
		if root, err = d.with(root, strings.Split(f.name, "/"), []byte(f.judged)); err != nil {
			return nil, root, err
		}
	}
	return d, root, nil
}

// draftSource is a source with files in it that are not written yet.
type draftSource struct {
	compile.Source
	trees map[compile.Hash][]compile.Entry
	files map[compile.Hash][]byte
}

// List returns the entries of a tree.
func (d *draftSource) List(tree compile.Hash) ([]compile.Entry, error) {
	if entries, ok := d.trees[tree]; ok {
		return entries, nil
	}
	return d.Source.List(tree)
}

// Read returns a file's content.
func (d *draftSource) Read(file compile.Hash, most int64) ([]byte, error) {
	if data, ok := d.files[file]; ok {
		return data, nil
	}
	return d.Source.Read(file, most)
}

// with is a tree with a file at a path in it.
func (d *draftSource) with(tree compile.Hash, parts []string, data []byte) (compile.Hash, error) {
	var entries []compile.Entry
	if tree != (compile.Hash{}) {
		var err error
		if entries, err = d.List(tree); err != nil {
			return tree, err
		}
	}
	named := func(e compile.Entry) bool { return e.Name == parts[0] }
	added := compile.Entry{Name: parts[0], Kind: compile.Folder}
	if i := slices.IndexFunc(entries, named); i >= 0 && entries[i].Kind == compile.Folder {
		added.Hash = entries[i].Hash
	}
	if len(parts) == 1 {
		added = compile.Entry{Name: parts[0], Kind: compile.RegularFile, Size: int64(len(data)), Hash: blobHash(data)}
		d.files[added.Hash] = data
	} else {
		var err error
		if added.Hash, err = d.with(added.Hash, parts[1:], data); err != nil {
			return tree, err
		}
	}
	entries = append(slices.DeleteFunc(slices.Clone(entries), named), added)
	slices.SortFunc(entries, func(a, b compile.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return d.keep(entries), nil
}

// keep names a tree by its content.
func (d *draftSource) keep(entries []compile.Entry) compile.Hash {
	sum := sha1.New()
	sum.Write([]byte("draft"))
	for _, e := range entries {
		fmt.Fprintf(sum, "%d %s\x00", e.Kind, e.Name)
		sum.Write(e.Hash[:])
	}
	hash := compile.Hash(sum.Sum(nil))
	d.trees[hash] = entries
	return hash
}

// blobHash names a file as Git does.
func blobHash(data []byte) compile.Hash {
	return compile.Hash(sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))
}
