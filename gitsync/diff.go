package gitsync

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// emptyTree is the tree of a folder that a commit does not have. It holds nothing, and Git itself knows it by this name.
var emptyTree = Hash{
	0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee, 0x49, 0x04,
}

// sum is a hash of a set of files: SHA-256 of each one's path, mode and blob, cut to 128 bits and added up. So it follows from the
// changes alone, in whatever order. Two sets with one sum can perhaps be made; nobody may take equal sums for more than a hint.
type sum struct{ high, low uint64 }

func (a sum) plus(b sum) sum {
	low, carry := bits.Add64(a.low, b.low, 0)
	high, _ := bits.Add64(a.high, b.high, carry)
	return sum{high, low}
}

func (a sum) minus(b sum) sum {
	low, borrow := bits.Sub64(a.low, b.low, 0)
	high, _ := bits.Sub64(a.high, b.high, borrow)
	return sum{high, low}
}

func sumOf(path string, e leaf) sum {
	text := make([]byte, 0, 256)
	text = append(append(append(text, path...), 0, byte(e.mode)), e.hash[:]...)
	digest := sha256.Sum256(text)
	return sum{binary.BigEndian.Uint64(digest[:]), binary.BigEndian.Uint64(digest[8:])}
}

// leaf is a file, a link or a submodule. The zero leaf is none.
type leaf struct {
	mode EntryMode
	hash Hash
}

// edit is what became of one path.
type edit struct {
	path     string
	old, new leaf
}

// changes are what lies between two trees.
type changes struct {
	edits   []edit // sorted by path; empty when many
	many    bool
	delta   sum
	unknown bool // the trees are too large to be compared, or too deep: nothing else counts
}

// treeDiff compares two trees by their entries: what has the same hash is the same, and no blob is read.
type treeDiff struct {
	list func(tree Hash) ([]treeEntry, error)
	keep int // edits at most
	left int // entries that may still be looked at
	read int // entries that may still be read, most of which are the same on both sides
	changes
}

// diff compares two trees, and keeps at most so many edits.
func diff(list func(Hash) ([]treeEntry, error), old, new Hash, keep int) (changes, error) {
	d := treeDiff{list: list, keep: keep, left: maxDiff, read: maxDiffRead}
	if err := d.trees(old, new, ""); err != nil {
		return changes{}, err
	}
	if d.unknown {
		return changes{many: true, unknown: true}, nil
	}
	if d.many {
		d.edits = nil
	}
	slices.SortFunc(d.edits, func(a, b edit) int { return strings.Compare(a.path, b.path) })
	return d.changes, nil
}

func (d *treeDiff) trees(old, new Hash, prefix string) error {
	if old == new {
		return nil
	}
	before, err := d.list(old)
	if err != nil {
		return err
	}
	after, err := d.list(new)
	if err != nil {
		return err
	}
	if d.read -= len(before) + len(after); d.read < 0 {
		d.unknown = true
		return nil
	}
	before, after = apart(before, after)
	if d.left -= len(before) + len(after); d.left < 0 || len(prefix) > maxPath {
		d.unknown = true
	}
	for o, n := range pairs(before, after) {
		if d.unknown {
			return nil
		}
		if err := d.entries(o, n, prefix); err != nil {
			return err
		}
	}
	return nil
}

// pairs are the entries of two lists by name, an empty one where only one list has the name. Git sorts folders as if their names
// ended in a slash, so that one and a file of its name may stand apart: the lists are sorted anew.
func pairs(a, b []treeEntry) iter.Seq2[treeEntry, treeEntry] {
	byName := func(a, b treeEntry) int { return bytes.Compare(a.name, b.name) }
	slices.SortStableFunc(a, byName)
	slices.SortStableFunc(b, byName)
	return func(yield func(a, b treeEntry) bool) {
		for goOn := true; goOn && len(a)+len(b) > 0; {
			switch order := first(a, b); {
			case order < 0:
				goOn, a = yield(a[0], treeEntry{}), a[1:]
			case order > 0:
				goOn, b = yield(treeEntry{}, b[0]), b[1:]
			default:
				goOn, a, b = yield(a[0], b[0]), a[1:], b[1:]
			}
		}
	}
}

// first tells which of two lists has the next name: neither when both have it.
func first(a, b []treeEntry) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return bytes.Compare(a[0].name, b[0].name)
}

// entries compares what has one name in two trees.
func (d *treeDiff) entries(old, new treeEntry, prefix string) error {
	path := prefix + cmp.Or(string(old.name), string(new.name))
	if o, n := old.file(), new.file(); o != n {
		d.edit(edit{path, o, n})
	}
	o, n := old.folder(), new.folder()
	if o == n {
		return nil
	}
	return d.trees(o, n, path+"/")
}

func (d *treeDiff) edit(e edit) {
	if e.old != (leaf{}) {
		d.delta = d.delta.minus(sumOf(e.path, e.old))
	}
	if e.new != (leaf{}) {
		d.delta = d.delta.plus(sumOf(e.path, e.new))
	}
	if len(d.edits) == d.keep {
		d.many = true
		return
	}
	d.edits = append(d.edits, e)
}

// treeEntry is a line of a tree. Its name lies in the tree's bytes.
type treeEntry struct {
	name []byte
	leaf // a folder's too
}

func (e treeEntry) file() leaf {
	if e.mode == Dir {
		return leaf{}
	}
	return e.leaf
}

func (e treeEntry) folder() Hash {
	if e.mode != Dir {
		return emptyTree
	}
	return e.hash
}

// apart leaves out what two lists have in common at their beginnings and their ends: of two versions of a folder nearly all.
func apart(a, b []treeEntry) (_, _ []treeEntry) {
	same := func(a, b treeEntry) bool { return a.leaf == b.leaf && bytes.Equal(a.name, b.name) }
	for len(a) > 0 && len(b) > 0 && same(a[0], b[0]) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && same(a[len(a)-1], b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// list reads the entries of a tree. It is several times faster than go-git, which makes every name a string.
func (s *store) list(tree Hash) ([]treeEntry, error) {
	if tree == emptyTree {
		return nil, nil
	}
	o, err := s.encoded(plumbing.TreeObject, tree)
	if err != nil {
		return nil, err
	}
	data, err := content(o)
	if err != nil {
		return nil, err
	}
	list, ok := parseTree(data)
	if !ok {
		return nil, fmt.Errorf("%w: tree %s is malformed", errUnreadable, tree.Short())
	}
	return list, nil
}

func parseTree(data []byte) ([]treeEntry, bool) {
	list := make([]treeEntry, 0, len(data)/32)
	for len(data) > 0 {
		e, rest, ok := cutEntry(data)
		if !ok {
			return nil, false
		}
		list, data = append(list, e), rest
	}
	return list, true
}

// cutEntry reads `100644 name`, a NUL and the 20 bytes of a hash.
func cutEntry(data []byte) (e treeEntry, rest []byte, ok bool) {
	mode, rest, found := bytes.Cut(data, []byte(" "))
	name, rest, ended := bytes.Cut(rest, []byte{0})
	if !found || !ended || len(rest) < len(e.hash) {
		return e, nil, false
	}
	bits, err := strconv.ParseUint(string(mode), 8, 32)
	e = treeEntry{name: name, leaf: leaf{mode: kind(uint32(bits)), hash: Hash(rest[:len(e.hash)])}}
	return e, rest[len(e.hash):], err == nil && len(name) > 0
}

// kind is what Tree says of a mode: go-git takes what Git does not define for a submodule.
func kind(mode uint32) EntryMode {
	switch mode & 0o170000 {
	case 0o040000:
		return Dir
	case 0o100000:
		if mode&0o111 != 0 {
			return Executable
		}
		return File
	case 0o120000:
		return Symlink
	default:
		return Submodule
	}
}
