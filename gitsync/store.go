package gitsync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// store is the objects of one mirror. go-git's storage is not made for several goroutines: every use of it stands behind mu, for
// the time of one object.
type store struct {
	mu    sync.Mutex
	dir   string
	fs    *filesystem.Storage
	cache *cache.ObjectLRU
}

func openStore(dir string) *store {
	c := cache.NewObjectLRU(minCache)
	return &store{dir: dir, fs: openStorage(dir, c), cache: c}
}

// openStorage reads no file yet. Objects are kept open and read whole: with a threshold for large ones every reading of them
// would inflate anew.
func openStorage(dir string, c cache.Object) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(osfs.New(dir, osfs.WithBoundOS()), c, filesystem.Options{KeepDescriptors: true})
}

// move goes on with the mirror at dir, which may be the same after its packs were joined. before runs while nobody reads.
func (s *store) move(dir string, before func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := before(); err != nil {
		return err
	}
	// What the old handle has to say at its end is of no use to anybody: nothing is written through it.
	_ = s.fs.Close()
	s.dir, s.fs = dir, openStorage(dir, s.cache)
	return nil
}

// at is the directory of the mirror in use.
func (s *store) at() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dir
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fs.Close()
}

func (s *store) encoded(kind plumbing.ObjectType, h Hash) (plumbing.EncodedObject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.fs.EncodedObject(kind, plumbing.Hash(h))
	if err != nil {
		return nil, missing(kind.String(), h, err)
	}
	return o, nil
}

func (s *store) has(h Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fs.HasEncodedObject(plumbing.Hash(h)) == nil
}

// size reads an object's header alone.
func (s *store) size(h Hash) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.fs.EncodedObjectSize(plumbing.Hash(h))
	if err != nil {
		return 0, missing("blob", h, err)
	}
	return n, nil
}

func (s *store) blob(h Hash) ([]byte, error) {
	o, err := s.encoded(plumbing.BlobObject, h)
	if err != nil {
		return nil, err
	}
	return content(o)
}

func content(o plumbing.EncodedObject) ([]byte, error) {
	r, err := o.Reader()
	if err != nil {
		return nil, missing(o.Type().String(), Hash(o.Hash()), err)
	}
	defer r.Close()
	data := make([]byte, o.Size())
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, missing(o.Type().String(), Hash(o.Hash()), err)
	}
	return data, nil
}

func (s *store) tree(h Hash) (*object.Tree, error) {
	o, err := s.encoded(plumbing.TreeObject, h)
	if err != nil {
		return nil, err
	}
	t, err := object.DecodeTree(nil, o)
	if err != nil {
		return nil, missing("tree", h, err)
	}
	return t, nil
}

func (s *store) commit(h Hash) (*object.Commit, error) {
	raw, err := s.rawCommit(h)
	if err != nil {
		return nil, err
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.CommitObject)
	if _, err := o.Write(plain(raw)); err != nil {
		return nil, missing("commit", h, err)
	}
	c, err := object.DecodeCommit(nil, o)
	if err != nil {
		return nil, missing("commit", h, err)
	}
	c.Hash = plumbing.Hash(h)
	return c, nil
}

// plain leaves out of a commit the headers behind the committer, signatures and merged tags among them. go-git joins the lines
// of such a header in a time that grows with the square of their number: a signature of a million lines would hold it for hours.
func plain(raw []byte) []byte {
	at := 0
	for at < len(raw) && raw[at] != '\n' {
		switch key, _, rest := header(raw[at:]); key {
		case "tree", "parent", "author", "committer":
			at = len(raw) - len(rest)
			continue
		}
		i := bytes.Index(raw[at:], []byte("\n\n"))
		if i < 0 {
			return raw[:at:at]
		}
		return append(raw[:at:at], raw[at+i+1:]...)
	}
	return raw
}

// rawCommit reads a commit as it stands in the mirror.
func (s *store) rawCommit(h Hash) ([]byte, error) {
	o, err := s.encoded(plumbing.CommitObject, h)
	if err != nil {
		return nil, err
	}
	return content(o)
}

// addPack writes a pack and makes its objects readable. It reads from r without the lock, for as long as r takes.
func (s *store) addPack(r io.Reader) error {
	w, err := s.packWriter()
	if err != nil {
		return fmt.Errorf("write pack: %w: %w", errUnreadable, err)
	}
	n, err := io.Copy(w, r)
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err == nil && n == 0 {
		err = packfile.ErrEmptyPackfile
	}
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return nil
}

func (s *store) packWriter() (io.WriteCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.fs.PackfileWriter()
	if err != nil {
		return nil, err
	}
	pack, ok := w.(*dotgit.PackWriter)
	if !ok {
		return nil, errors.New("the storage writes no packs")
	}
	// The new index goes into a map that readers look into.
	enter := pack.Notify
	pack.Notify = func(h plumbing.Hash, index *idxfile.Writer) {
		s.mu.Lock()
		defer s.mu.Unlock()
		enter(h, index)
	}
	return pack, nil
}

// probe reads an object whole, whatever it is, through a new handle.
func (s *store) probe(h Hash) error {
	if err := s.move(s.dir, func() error { return nil }); err != nil {
		return err
	}
	o, err := s.encoded(plumbing.AnyObject, h)
	if err != nil {
		return err
	}
	_, err = content(o)
	return err
}

// fit sizes the cache for a tree of so many bytes.
func (s *store) fit(tree int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache.MaxSize = cache.FileSize(min(max(2*tree, minCache), maxCache))
}
