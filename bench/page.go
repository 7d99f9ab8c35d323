package main

import (
	"context"
	"fmt"
	"time"
)

const (
	pagePatience  = 20 * time.Second
	judgePatience = 3 * time.Minute
	pageLimit     = 1000 // ms
)

// watchList notes when a frame with the list of versions was drawn.
const watchList = `window.listed = 0;
new MutationObserver((_, o) => {
	if (!document.querySelector("ol.versions li")) return;
	o.disconnect();
	requestAnimationFrame(() => setTimeout(() => { window.listed = performance.now(); }));
}).observe(document, {childList: true, subtree: true});`

const painted = `(() => {
	const first = performance.getEntriesByName("first-contentful-paint")[0];
	return first && window.listed ? {First: first.startTime, Listed: window.listed} : null;
})()`

// page measures how soon a browser shows the page of versions, when there are many.
func (s *suite) page(ctx context.Context) error {
	what := fmt.Sprintf("the page with %d versions", s.scale.pageVersions)
	binary := chromiumBinary()
	if binary == "" {
		s.skip(what, "Chromium is not installed: web/setup.sh installs one on Debian, or name yours by CHROMIUM")
		return nil
	}
	f, err := s.follow(ctx, "page", story{file: messageFile, texts: messages(0, 1+s.scale.pageVersions, smallChange)})
	if err != nil {
		return err
	}
	defer f.stop() //nolint:errcheck // what it served is measured
	if err := f.judgeAll(ctx); err != nil {
		return err
	}
	c, err := startChromium(ctx, binary)
	if err != nil {
		return err
	}
	defer c.stop()
	var firsts, lists []float64
	for range s.scale.pageLoads {
		var seen struct{ First, Listed float64 }
		if err := c.load(f.process.url+"/#/versions", watchList, painted, &seen); err != nil {
			return err
		}
		firsts, lists = append(firsts, seen.First), append(lists, seen.Listed)
	}
	note := fmt.Sprintf("headless Chromium on the same cores, nothing cached; median of %d", s.scale.pageLoads)
	s.add(row{what: what + ": first paint", measured: median(firsts), limit: pageLimit, unit: "ms", note: note})
	s.add(row{what: what + ": the newest of them are listed", measured: median(lists), limit: pageLimit, unit: "ms", note: note})
	return nil
}

// judgeAll announces all commits that are still to come at once, and waits until they are judged.
func (f *followed) judgeAll(ctx context.Context) error {
	f.next = f.next[len(f.next)-1:]
	if err := f.change(ctx); err != nil {
		return err
	}
	return f.judged(ctx, f.next[0])
}

// judged waits until the server has judged a commit.
func (f *followed) judged(ctx context.Context, commit string) error {
	for deadline := time.Now().Add(judgePatience); time.Now().Before(deadline); {
		var status struct{ Judged string }
		if err := f.get(ctx, "/v1/status", &status); err != nil || status.Judged == commit {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s is not judged after %s", commit, judgePatience)
}
