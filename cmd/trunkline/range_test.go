package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"
)

// A range has at most as many commits as are promised, and the oldest of them comes first.
func TestLongRange(t *testing.T) {
	repo, err := git.Init(memory.NewStorage(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var chain []plumbing.Hash
	for i := range maxRange + 2 {
		commit := object.Commit{Message: fmt.Sprint(i), TreeHash: plumbing.Hash(emptyTree)}
		if i > 0 {
			commit.ParentHashes = chain[i-1:]
		}
		chain = append(chain, storeCommit(t, repo, commit))
	}
	if err := repo.Storer.SetReference(plumbing.NewHashReference("refs/heads/master", chain[maxRange+1])); err != nil {
		t.Fatal(err)
	}
	c := &clone{repo: repo}
	s, err := c.span(fmt.Sprintf("HEAD~%d..HEAD", maxRange), "")
	if err != nil || len(s.commits) != maxRange || s.before.Hash != chain[1] || s.commits[0].Hash != chain[2] {
		t.Errorf("%d commits, %v", len(s.commits), err)
	}
	if _, err := c.span(fmt.Sprintf("HEAD~%d..HEAD", maxRange+1), ""); !errors.Is(err, errLongRange) {
		t.Errorf("one more: %v", err)
	}
}

func storeCommit(t *testing.T, repo *git.Repository, commit object.Commit) plumbing.Hash {
	t.Helper()
	encoded := repo.Storer.NewEncodedObject()
	if err := commit.Encode(encoded); err != nil {
		t.Fatal(err)
	}
	hash, err := repo.Storer.SetEncodedObject(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}
