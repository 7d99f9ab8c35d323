package apply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Mirror is where commits and their files are read; [gitsync.Follower] is one.
type Mirror interface {
	Commit(gitsync.Hash) (gitsync.Commit, error)
	Tree(gitsync.Hash) ([]gitsync.Entry, error)
	BlobSize(gitsync.Hash) (int64, error)
	Blob(h gitsync.Hash, max int64) ([]byte, error)
	Beyond(head gitsync.Hash, covered []gitsync.Hash, limit int) (list []gitsync.Hash, all bool, err error)
	Keep(h gitsync.Hash) error
	Signer(commit gitsync.Hash, keys *gitsync.Keyring) (gitsync.Signer, error)
}

// Source makes the files of a mirror readable for the compiler.
func Source(m Mirror) compile.Source { return mirrorSource{m} }

type mirrorSource struct{ mirror Mirror }

// emptyTree is the tree of a folder that a commit does not have. It holds nothing, and Git itself knows it by this name.
var emptyTree = gitsync.Hash{
	0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee, 0x49, 0x04,
}

func (s mirrorSource) List(tree compile.Hash) ([]compile.Entry, error) {
	if gitsync.Hash(tree) == emptyTree {
		return nil, nil
	}
	items, err := s.mirror.Tree(gitsync.Hash(tree))
	if err != nil {
		return nil, err
	}
	entries := make([]compile.Entry, len(items))
	for i, item := range items {
		entries[i] = compile.Entry{Name: item.Name, Hash: compile.Hash(item.Hash), Kind: kindOf(item.Mode)}
		if entries[i].Kind != compile.RegularFile {
			continue
		}
		if entries[i].Size, err = s.mirror.BlobSize(item.Hash); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func kindOf(m gitsync.EntryMode) compile.EntryKind {
	switch m {
	case gitsync.File, gitsync.Executable:
		return compile.RegularFile
	case gitsync.Dir:
		return compile.Folder
	case gitsync.Submodule:
		return compile.Submodule
	default:
		return compile.Symlink
	}
}

func (s mirrorSource) Read(file compile.Hash, max int64) ([]byte, error) {
	return s.mirror.Blob(gitsync.Hash(file), max)
}

// folder is the tree of the config repo's folder in a commit. A commit without that folder has an empty one, which the compiler
// judges; a tree that cannot be read is an error, never an empty one.
func folder(m Mirror, c gitsync.Commit, dir string) (gitsync.Hash, error) {
	at := c.Tree
	for part := range strings.SplitSeq(dir, "/") {
		if part == "" || part == "." {
			continue
		}
		entries, err := m.Tree(at)
		if err != nil {
			return gitsync.Hash{}, fmt.Errorf("folder %s of %s: %w", dir, c.Hash.Short(), err)
		}
		i := slices.IndexFunc(entries, func(e gitsync.Entry) bool { return e.Name == part && e.Mode == gitsync.Dir })
		if i < 0 {
			return emptyTree, nil
		}
		at = entries[i].Hash
	}
	return at, nil
}
