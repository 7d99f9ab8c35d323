package main

import (
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// maxTold is how many commits or paths a message tells of.
const maxTold = 20

// words are the message of the commit. A rollback by one version is written as git revert writes it, so that others understand it.
func (d *draft) words() string {
	var b strings.Builder
	switch {
	case d.reverts():
		b.WriteString(revertWords(d.head))
	case len(d.patterns) > 0:
		fmt.Fprintf(&b, "Roll back %s to %s\n\nThis restores of version %s only:\n", d.patternWords(), shortCommit(d.old), d.old.Hash)
		list(&b, d.pathNames())
	default:
		fmt.Fprintf(&b, "Roll back to %s\n\nThis restores version %s.\nIt takes back:\n", shortCommit(d.old), d.old.Hash)
		list(&b, d.takenBack())
	}
	if d.Reason != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(d.Reason))
	}
	return b.String()
}

// reverts tells whether the commit is exactly the inverse of the head.
func (d *draft) reverts() bool {
	return len(d.between) == 1 && d.tree == d.old.TreeHash.String()
}

// revertWords are those of git revert.
func revertWords(c *object.Commit) string {
	subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	title := `Revert "` + subject + `"`
	if again, ok := strings.CutPrefix(subject, `Revert "`); ok && !strings.HasPrefix(again, `Revert "`) {
		title = `Reapply "` + again
	}
	if c.NumParents() > 1 {
		return fmt.Sprintf("%s\n\nThis reverts commit %s, reversing\nchanges made to %s.\n", title, c.Hash, c.ParentHashes[0])
	}
	return fmt.Sprintf("%s\n\nThis reverts commit %s.\n", title, c.Hash)
}

func (d *draft) patternWords() string {
	if n := len(d.patterns); n > 1 {
		return fmt.Sprintf("%s and %d more", d.patterns[0], n-1)
	}
	return d.patterns[0].String()
}

// takenBack are the commits that are taken back, newest first.
func (d *draft) takenBack() []string {
	var all []string
	for i := len(d.between) - 1; i >= 0; i-- {
		all = append(all, shortCommit(d.between[i])+" ("+clippedSubject(d.between[i].Author.Name)+")")
	}
	return all
}

func (d *draft) pathNames() []string {
	var all []string
	for _, path := range d.paths {
		all = append(all, path.String())
	}
	return all
}

// list writes lines, up to a bound.
func list(b *strings.Builder, lines []string) {
	for i, line := range lines {
		if i == maxTold {
			fmt.Fprintf(b, "- and %d more\n", len(lines)-maxTold)
			return
		}
		fmt.Fprintf(b, "- %s\n", line)
	}
}
