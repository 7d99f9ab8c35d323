package compile

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// WorkingTree is a directory that is looked at again and again while it is edited. It is for one goroutine.
type WorkingTree struct {
	dir     string
	known   map[string]stamped // by name, from the look before
	folders []string
	buffer  []byte
	now     func() time.Time
}

// NewWorkingTree reads nothing yet.
func NewWorkingTree(dir string) *WorkingTree {
	return &WorkingTree{dir: dir, buffer: make([]byte, 64<<10), now: time.Now}
}

// Folders are those that the last look went through, the directory itself among them: a change of what was seen is a change of
// what lies in one of them.
func (w *WorkingTree) Folders() []string { return w.folders }

// stamped is a file's hash with what tells, without reading it, whether the file is still the same.
type stamped struct {
	info fs.FileInfo
	hash Hash
}

func (s stamped) same(info fs.FileInfo) bool {
	before, told := changed(s.info)
	now, _ := changed(info)
	return told && now.Equal(before) && info.Size() == s.info.Size() && os.SameFile(info, s.info)
}

// lasts tells whether the next change of the file will show in its stamp.
func (s stamped) lasts(now time.Time) bool {
	at, told := changed(s.info)
	return told && now.Sub(at) > timeSteps
}

// timeSteps are the longest steps in which file systems count time.
const timeSteps = 2 * time.Second

// Directory is a [Source] of the files of a working tree as they were at one look. Trees and files get the names Git would give
// them, so that what did not change between two looks is not compiled again.
type Directory struct {
	trees map[Hash][]Entry
	files map[Hash]string
}

// ReadDirectory looks once at a directory.
func ReadDirectory(dir string) (*Directory, Hash, error) { return NewWorkingTree(dir).Read() }

// Read looks at the directory. Only what the config repo may hold is read, and of its files only those that may have changed since
// the look before.
func (w *WorkingTree) Read() (*Directory, Hash, error) {
	info, err := os.Stat(w.dir)
	if err != nil {
		return nil, Hash{}, err
	}
	if !info.IsDir() {
		return nil, Hash{}, fmt.Errorf("%s is a file; name the directory of the config repo", w.dir)
	}
	w.folders = nil
	l := &look{
		WorkingTree: w, Directory: &Directory{trees: map[Hash][]Entry{}, files: map[Hash]string{}},
		began: w.now(), stamps: map[string]stamped{},
	}
	if l.manifest, err = l.readManifest(); err != nil {
		return nil, Hash{}, err
	}
	root, err := l.tree("", 0)
	if err != nil {
		return nil, Hash{}, err
	}
	w.known = l.stamps
	return l.Directory, root, nil
}

// look is one reading of a working tree.
type look struct {
	*WorkingTree
	*Directory
	manifest *Manifest
	began    time.Time
	stamps   map[string]stamped // of which the next change will show
}

// readManifest tells which folders there are to read.
func (l *look) readManifest() (*Manifest, error) {
	var doc *value.Value
	info, err := os.Lstat(l.path(ManifestFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().IsRegular() && info.Size() <= MaxFileBytes:
		s, err := l.file(ManifestFile, info)
		if err != nil {
			return nil, err
		}
		data, err := l.Directory.Read(s.hash, MaxFileBytes)
		if err != nil {
			return nil, err
		}
		doc, _ = document.Decode(&value.File{Path: ManifestFile}, document.FormatOf(ManifestFile), data, document.Limits{MaxBytes: MaxFileBytes})
	}
	return readManifest(doc, func(Problem) {}), nil
}

// path is where a file of the config repo lies.
func (l *look) path(name string) string { return filepath.Join(l.dir, filepath.FromSlash(name)) }

// tree reads a folder; depth is how deep it lies in a part of the config repo, from 1, or 0 above the parts.
func (l *look) tree(name string, depth int) (Hash, error) {
	l.folders = append(l.folders, l.path(name))
	items, err := os.ReadDir(l.path(name))
	if err != nil {
		return Hash{}, err
	}
	var entries []Entry
	for _, item := range items {
		below := strings.TrimPrefix(name+"/"+item.Name(), "/")
		if !l.holds(below, item.Name(), depth) {
			continue
		}
		e, err := l.entry(below, item, depth)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed while we looked
		}
		if err != nil {
			return Hash{}, err
		}
		entries = append(entries, e)
	}
	sum := sha1.New()
	for _, e := range entries {
		fmt.Fprintf(sum, "%d %s\x00", e.Kind, e.Name)
		sum.Write(e.Hash[:])
	}
	hash := Hash(sum.Sum(nil))
	l.trees[hash] = entries
	return hash, nil
}

// holds tells whether an entry of a folder is the manifest, a part of the config repo, on the way to one, or of what one holds.
func (l *look) holds(name, last string, depth int) bool {
	if depth > 0 {
		return !l.manifest.passes(name, last)
	}
	part, towards := l.manifest.Directories.place(name)
	return part || towards || name == ManifestFile
}

func (l *look) entry(name string, item fs.DirEntry, depth int) (e Entry, err error) {
	e.Name = item.Name()
	switch mode := item.Type(); {
	case mode.IsDir() && depth <= maxFolderDepth+2:
		e.Kind = Folder
		if part, _ := l.manifest.Directories.place(name); part || depth > 0 {
			depth++
		}
		e.Hash, err = l.tree(name, depth)
		return e, err
	case mode.IsRegular():
		info, err := item.Info()
		if err != nil {
			return e, err
		}
		s, err := l.file(name, info)
		if err != nil {
			return e, err
		}
		e.Hash, e.Size = s.hash, s.info.Size()
		return e, nil
	default:
		e.Kind = Symlink
		return e, nil
	}
}

// place tells whether a path is one of the directories, and whether it leads to one.
func (d Directories) place(name string) (part, towards bool) {
	for _, dir := range d.each() {
		part = part || name == *dir.path
		towards = towards || strings.HasPrefix(*dir.path, name+"/")
	}
	return part, towards
}

// file takes a file's hash from the look before, unless it may have changed since.
func (l *look) file(name string, info fs.FileInfo) (stamped, error) {
	s, known := l.known[name]
	if !known || !s.same(info) {
		var err error
		if s, err = l.hash(name); err != nil {
			return stamped{}, err
		}
	}
	if s.lasts(l.began) {
		l.stamps[name] = s
	}
	l.files[s.hash] = l.path(name)
	return s, nil
}

func (l *look) hash(name string) (stamped, error) {
	f, err := os.Open(l.path(name))
	if err != nil {
		return stamped{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return stamped{}, err
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", info.Size())
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, l.buffer); err != nil { // an *os.File would not use the buffer
		return stamped{}, err
	}
	return stamped{info, Hash(sum.Sum(nil))}, nil
}

// List returns the entries of a tree.
func (d *Directory) List(tree Hash) ([]Entry, error) {
	entries, ok := d.trees[tree]
	if !ok {
		return nil, fmt.Errorf("tree %s: %w", tree, ErrGone)
	}
	return entries, nil
}

// Read returns a file's content.
func (d *Directory) Read(file Hash, max int64) ([]byte, error) {
	path, ok := d.files[file]
	if !ok {
		return nil, fmt.Errorf("file %s: %w", file, ErrGone)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s was removed before it was read: %w", path, ErrGone)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > max:
		return nil, fmt.Errorf("%s has more than %d bytes", path, max)
	case sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data)) != file:
		return nil, fmt.Errorf("%s was changed while it was read: %w", path, ErrGone)
	}
	return data, nil
}
