//go:build !unix

package gitsync

import (
	"fmt"
	"os"
	"path/filepath"
)

// lock leaves the directory unlocked where there is no advisory lock that ends with the process.
func lock(root string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(root, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	return f, nil
}

func unlock(f *os.File) error { return f.Close() }
