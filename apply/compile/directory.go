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
)

// Directory is a [Source] of the files of a working tree as they are now. Trees and files get the names Git would give them, so
// that what did not change between two looks is not read again.
type Directory struct {
	trees map[Hash][]Entry
	files map[Hash]string
}

// ReadDirectory looks at a directory. Only what the config repo may hold is read.
func ReadDirectory(dir string) (*Directory, Hash, error) {
	d := &Directory{trees: map[Hash][]Entry{}, files: map[Hash]string{}}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, Hash{}, err
	}
	if !info.IsDir() {
		return nil, Hash{}, fmt.Errorf("%s is a file; name the directory of the config repo", dir)
	}
	root, err := d.tree(dir, 0)
	return d, root, err
}

func (d *Directory) tree(dir string, depth int) (Hash, error) {
	items, err := os.ReadDir(dir)
	if err != nil {
		return Hash{}, err
	}
	var entries []Entry
	for _, item := range items {
		if depth == 0 && !recognised(item.Name()) || strings.HasPrefix(item.Name(), ".") {
			continue
		}
		e, err := d.entry(filepath.Join(dir, item.Name()), item, depth)
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
	d.trees[hash] = entries
	return hash, nil
}

func (d *Directory) entry(path string, item fs.DirEntry, depth int) (Entry, error) {
	e := Entry{Name: item.Name()}
	switch mode := item.Type(); {
	case mode.IsDir() && depth <= maxFolderDepth+2:
		e.Kind = Folder
		var err error
		e.Hash, err = d.tree(path, depth+1)
		return e, err
	case mode.IsRegular():
		return e, d.file(path, &e)
	default:
		e.Kind = Symlink
		return e, nil
	}
}

func (d *Directory) file(path string, e *Entry) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", info.Size())
	if e.Size, err = io.Copy(sum, f); err != nil {
		return err
	}
	e.Hash = Hash(sum.Sum(nil))
	d.files[e.Hash] = path
	return nil
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
