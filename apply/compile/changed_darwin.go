package compile

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when a file was last written, replaced or renamed, or had its attributes set: no program can set it back.
func changed(info fs.FileInfo) (time.Time, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(s.Ctimespec.Unix()), true
}
