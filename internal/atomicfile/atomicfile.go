// Package atomicfile replaces files so that whoever reads them, even after a crash, finds the old content or the new one, and never
// a part of either.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Write puts data in the place of a file, which need not exist: it writes a file beside it, brings that to the disk and renames
// it. A symbolic link is replaced, not followed.
func Write(file string, data []byte, mode fs.FileMode) error {
	if err := write(file, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", file, bare(err))
	}
	return nil
}

func write(file string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(file)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(file)+"-*") // of mode 0600: nobody else reads it meanwhile
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // in vain once it is renamed
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	return syncDir(dir)
}

// bare leaves the name of the temporary file out, which says nothing to anybody and is another one each time.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}

// syncDir makes a renaming last. Where directories cannot be brought to the disk, it lasts by itself or not at all.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
