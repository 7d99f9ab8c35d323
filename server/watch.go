package server

import (
	"context"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	watchDebounce = 30 * time.Millisecond  // editors save in several steps
	watchPoll     = 500 * time.Millisecond // where watching is not to be had
)

// watchDirectory calls look at the start and whenever something in a directory may have changed, until ctx ends. Where the system
// does not tell of changes it calls look all the time.
func watchDirectory(ctx context.Context, dir string, log *slog.Logger, look func()) error {
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		err = watchBelow(w, dir)
	}
	if err != nil {
		log.Warn("changes are not told by the system: the directory is looked at twice a second", "component", "dev", "err", err)
		look()
		return pollDirectory(ctx, look)
	}
	look() // only now: what is saved from here on is told
	var settle <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Events:
			if !ok {
				return pollDirectory(ctx, look)
			}
			if e.Has(fsnotify.Create) {
				_ = watchBelow(w, e.Name) // a folder may be new; what is gone already needs no watching
			}
			settle = time.After(watchDebounce)
		case err := <-w.Errors:
			log.Warn("changes may have been missed", "component", "dev", "err", err)
			settle = time.After(watchDebounce)
		case <-settle:
			settle = nil
			look()
		}
	}
}

// watchBelow watches a folder and all below it but hidden ones.
func watchBelow(w *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path != dir && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		return w.Add(path)
	})
}

func pollDirectory(ctx context.Context, look func()) error {
	tick := time.NewTicker(watchPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			look()
		}
	}
}
