package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	watchDebounce = 30 * time.Millisecond  // editors save in several steps
	watchLatest   = 500 * time.Millisecond // a change waits no longer, though others still follow
	watchPoll     = 500 * time.Millisecond // where changes may go untold
)

// watchDirectory calls look at the start and whenever something in a directory may have changed, until ctx ends. look returns the
// folders it went through, and these are watched. Twice a second it calls look where the system does not tell of all changes, after
// an error of look, and while there is no directory.
func watchDirectory(ctx context.Context, dir string, n notices, log *slog.Logger, look func() (folders []string, err error)) error {
	w := &watch{dir: dir, notices: n, log: log, look: look}
	defer w.close()
	var since time.Time // the first change that is not looked at yet
	settle := time.NewTimer(0)
	defer settle.Stop()
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		events, faults := w.channels()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
			if since.IsZero() && (w.blind || w.moved()) {
				settle.Reset(0)
			}
			continue
		case <-settle.C:
			since = time.Time{}
			if more := w.lookAndCover(); !more {
				continue
			}
		case e := <-events:
			if e.Has(fsnotify.Create | fsnotify.Remove | fsnotify.Rename) {
				clear(w.covered) // it may have been a folder
			}
		case <-faults:
			w.close() // events were lost: begin anew
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) < watchLatest {
			settle.Reset(watchDebounce)
		}
	}
}

// notices are how the system tells of changes in folders.
type notices struct {
	open func() (*fsnotify.Watcher, error)
	add  func(w *fsnotify.Watcher, folder string) error
}

var systemNotices = notices{fsnotify.NewWatcher, (*fsnotify.Watcher).Add}

// watch is what the system tells of a directory.
type watch struct {
	dir     string
	notices notices
	log     *slog.Logger
	look    func() (folders []string, err error)

	root    fs.FileInfo       // what is watched; the directory's name may come to mean another
	told    *fsnotify.Watcher // nil when nothing is told
	covered map[string]bool   // folders of which changes are told
	blind   bool              // changes may go untold
	warned  bool
}

func (w *watch) channels() (<-chan fsnotify.Event, <-chan error) {
	if w.told == nil {
		return nil, nil
	}
	return w.told.Events, w.told.Errors
}

// moved tells whether the directory is no longer the one that is watched.
func (w *watch) moved() bool {
	info, err := os.Stat(w.dir)
	return err != nil || w.root == nil || !os.SameFile(info, w.root)
}

// lookAndCover looks, and watches the folders that were looked at. If some of them were not watched before, changes between the look
// and the watch went untold, so that another look is due.
func (w *watch) lookAndCover() (more bool) {
	if w.told == nil || w.moved() {
		w.begin()
	}
	folders, err := w.look()
	w.blind = err != nil || w.told == nil
	if w.told == nil {
		return false
	}
	for _, folder := range folders {
		if w.covered[folder] {
			continue
		}
		err := w.notices.add(w.told, folder)
		switch {
		case err == nil:
			w.covered[folder], more = true, true
		case !errors.Is(err, fs.ErrNotExist): // of a removal the folder above tells
			w.untold(err)
		}
	}
	return more
}

func (w *watch) begin() {
	w.close()
	var err error
	if w.root, err = os.Stat(w.dir); err != nil {
		return // what is wrong the look will say
	}
	if w.told, err = w.notices.open(); err != nil {
		w.told = nil
		w.untold(err)
	}
}

func (w *watch) close() {
	if w.told != nil {
		_ = w.told.Close()
	}
	w.told, w.covered = nil, map[string]bool{}
}

// untold falls back on looking all the time, and says so once.
func (w *watch) untold(err error) {
	w.blind = true
	if w.warned {
		return
	}
	w.warned = true
	about := []any{"component", "dev", "err", err}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		about = append(about, "hint", "raise the sysctl fs.inotify.max_user_watches")
	case errors.Is(err, syscall.EMFILE):
		about = append(about, "hint", "raise the limit of open files, or the sysctl fs.inotify.max_user_instances")
	}
	w.log.Warn("the system does not tell of all changes: the directory is looked at twice a second", about...)
}
