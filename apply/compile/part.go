package compile

import (
	"context"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// part is what of a tree is read: of one environment, what can matter to the values at a path and below it. Nil is all of the tree.
type part struct {
	env  string
	path value.Path
}

// of tells whether an overlay belongs to the part.
func (p *part) of(overlay string, m *Manifest) bool {
	return p == nil || slices.Contains(m.Chain(p.env), overlay)
}

// within is the path that a folder is narrowed to; "" for one of which everything is read.
func (p *part) within(mount value.Path) string {
	if p == nil || len(p.path) <= len(mount) {
		return ""
	}
	return p.path.String()
}

// needs tells whether an entry of a folder is on the way to the path, or below it.
func (p *part) needs(folder value.Path, e Entry) bool {
	switch {
	case p == nil:
		return true
	case e.Kind == Folder:
		return onTheWay(append(folder[:len(folder):len(folder)], e.Name), p.path)
	default:
		return onTheWay(mountOf(folder, e.Name), p.path)
	}
}

// onTheWay tells whether what is mounted at a place may hold something of a value, or lie in it.
func onTheWay(mount, path value.Path) bool {
	n := min(len(mount), len(path))
	return slices.Equal(mount[:n], path[:n])
}

// nothing is a part without any file: no file is called so.
var nothing = &part{path: value.Path{"/"}}

// Manifest reads what a tree says of itself, as far as that can be read.
func (c *Compiler) Manifest(ctx context.Context, source Source, tree Hash) (*Manifest, error) {
	r := c.begin(ctx, source, Against{Settled: AllSettled})
	r.part = nothing
	if err := r.manifest(tree); err != nil {
		return nil, err
	}
	return r.own, nil
}

// Matters tells whether a change of a file may matter to the value at a path of an environment, or to what lies below it. The file is
// named by its path from the root of the config repo. False is certain between two trees that have this manifest and whose environment
// can be merged; true only says that it may be so: the manifest always matters, because it says where the directories are and
// what is ignored, and where it names no environments, so does all that lies in an overlay, whose folder makes the environment. What
// the manifest ignores does not matter, nor do schemas and policies: they judge values and make none.
func (m *Manifest) Matters(file, env string, path value.Path) bool {
	if file == ManifestFile {
		return true
	}
	if below, ok := strings.CutPrefix(file, m.Directories.Config+"/"); ok {
		return m.reads(m.Directories.Config, below) && onTheWay(mountOfPath(below), path)
	}
	below, ok := strings.CutPrefix(file, m.Directories.Environments+"/")
	if !ok {
		return false
	}
	overlay, below, _ := strings.Cut(below, "/")
	if m.guessed {
		return overlay == env || env == DefaultEnvironment
	}
	folder := m.Directories.Environments + "/" + overlay
	return slices.Contains(m.Chain(env), overlay) && !m.passes(folder, overlay) && m.reads(folder, below) && onTheWay(mountOfPath(below), path)
}

// reads tells whether a file in a folder is read.
func (m *Manifest) reads(folder, below string) bool {
	for name := range strings.SplitSeq(below, "/") {
		if folder += "/" + name; m.passes(folder, name) {
			return false
		}
	}
	return readable(file{path: folder})
}

// mountOfPath is where a file stands, by its path below the folder of its layer.
func mountOfPath(below string) value.Path {
	segments := strings.Split(below, "/")
	return mountOf(segments[:len(segments)-1], segments[len(segments)-1])
}
