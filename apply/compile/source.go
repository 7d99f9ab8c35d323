package compile

import (
	"encoding/hex"
	"errors"
)

// Source is where the files of a commit come from: the mirror of a repository, or a directory.
type Source interface {
	// List returns the entries of a tree.
	List(tree Hash) ([]Entry, error)
	// Read returns a file's content, which has at most max bytes; a larger one is an error.
	Read(file Hash, max int64) ([]byte, error)
}

// Hash names a tree or a file by its content, as Git does.
type Hash [20]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Entry is one entry of a tree.
type Entry struct {
	Name string
	Kind EntryKind
	Hash Hash
	Size int64 // of a file, in bytes
}

// EntryKind is what an entry is.
type EntryKind uint8

// The kinds of entries.
const (
	RegularFile EntryKind = iota
	Folder
	Symlink
	Submodule
)

// ErrGone is wrapped by the error of a [Source] that does not have what it was asked for.
var ErrGone = errors.New("not in the source")
