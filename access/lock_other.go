//go:build !unix

package access

import "os"

// tryLock leaves the file unlocked where there is no advisory lock that ends with the process.
func tryLock(file string) (unlock func(), taken bool, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	return func() { _ = f.Close() }, true, nil
}

// Permissions are not those of Unix here.
func private(os.FileInfo) bool { return true }
func guarded(os.FileInfo) bool { return true }
