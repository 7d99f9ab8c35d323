package access

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readFile reads a whole file that holds most bytes at most, and tells which it was. allowed judges its permissions. A file that is
// not there is nil without an error.
func readFile(file string, most int64, allowed func(os.FileInfo) error) ([]byte, os.FileInfo, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if err := allowed(info); err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("the file is larger than %d bytes", most)
	}
	return data, info, err
}

// writeFile puts a file in place whole or not at all, readable by its owner alone, and tells which it is then.
func writeFile(file string, data []byte) (os.FileInfo, error) {
	dir := filepath.Dir(file)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(file)+"-*") // of mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync())
	info, statErr := tmp.Stat()
	if err := errors.Join(err, statErr, tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return nil, err
	}
	return info, syncDir(dir)
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// unchanged tells whether the file is the one that was read; nil stands for none.
func unchanged(file string, read os.FileInfo) bool {
	now, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return read == nil
	}
	return err == nil && read != nil && os.SameFile(now, read) && now.ModTime().Equal(read.ModTime()) && now.Size() == read.Size() && now.Mode() == read.Mode()
}
