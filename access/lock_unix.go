//go:build unix

package access

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes a file for this process, unless another has it. It is let go when the process ends, however it ends.
func tryLock(file string) (unlock func(), taken bool, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		// Closing alone would not let go while a process that is being started still holds all our files.
		return func() { _ = errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close()) }, true, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, nil
	}
	return nil, false, err
}

// private tells whether only the file's owner may read it.
func private(info os.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }

// guarded tells whether not everybody may write a file.
func guarded(info os.FileInfo) bool { return info.Mode().Perm()&0o002 == 0 }
