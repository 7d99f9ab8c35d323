package gitsync

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// explained gives a failure of the transport words that say what to do.
func (f *Follower) explained(err error) error {
	err = unwrapped(err)
	var broken *packp.ErrUnexpectedData
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return hint(ErrBranch, "the remote is empty: push a branch %s", f.options.Branch)
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return f.refused()
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return hint(transport.ErrRepositoryNotFound, "there is no repository at %s, or none that %s may see", f.remote.shown, f.credential())
	case errors.Is(err, transport.ErrEmptyUploadPackRequest), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		errors.Is(err, packfile.ErrMalformedPackFile):
		return fmt.Errorf("the remote broke off: %w", err)
	case errors.Is(err, pktline.ErrInvalidPktLen), errors.As(err, &broken), errors.Is(err, packfile.ErrZLib),
		errors.Is(err, packfile.ErrInvalidObject):
		return fmt.Errorf("what the remote sends is not Git's protocol, or damaged: %w", err)
	case strings.Contains(err.Error(), "not our ref"):
		return hint(errLied, "the remote does not deliver the commit it lists for %s: it moved meanwhile, or is damaged", f.options.Branch)
	}
	return err
}

func (f *Follower) credential() string {
	switch {
	case f.remote.Protocol == "ssh":
		return "this ssh key"
	case f.options.Token != nil:
		return "this token"
	default:
		return "anybody without a token (give one by --git-token-file)"
	}
}

func (f *Follower) refused() error {
	switch {
	case f.remote.Protocol == "ssh":
		return hint(ErrCredential, "the remote refuses this ssh key: is it registered there, with leave to read?")
	case f.options.Token != nil:
		return hint(ErrCredential, "the remote refuses the token: it may have expired, or may not read this repository; put a new one "+
			"into --git-token-file")
	default:
		return hint(ErrCredential, "the remote wants a credential: give a token by --git-token-file")
	}
}

// noBranch says which branches there are instead.
func (f *Follower) noBranch(refs *packp.AdvRefs) error {
	text := fmt.Sprintf("the remote has no branch %s", f.options.Branch)
	if names := nearest(f.options.Branch, refs); len(names) > 0 {
		text += "; it has " + strings.Join(names, ", ")
	} else {
		text += ", nor any other"
	}
	return hint(ErrBranch, "%s", text)
}

// nearest is the default branch and those whose names are most alike.
func nearest(want string, refs *packp.AdvRefs) []string {
	var names []string
	for name := range refs.References {
		if b, ok := strings.CutPrefix(name, branchPrefix); ok {
			names = append(names, b)
		}
	}
	return mostAlike(want, defaultBranch(refs), names)
}

// mostAlike chooses the names to hint at, in order: standard, if it is among them, and those most like what was wanted.
func mostAlike(want, standard string, names []string) []string {
	rank := make(map[string]int, len(names))
	for _, name := range names {
		rank[name] = distance(want, name)
	}
	rank[standard] = -1
	sort.Slice(names, func(i, j int) bool {
		a, b := names[i], names[j]
		return rank[a] < rank[b] || rank[a] == rank[b] && a < b
	})
	if len(names) > maxHintNames {
		names = names[:maxHintNames]
	}
	for i := range names {
		names[i] = oneLine(names[i], 80)
	}
	return names
}

func defaultBranch(refs *packp.AdvRefs) string {
	for _, link := range refs.Capabilities.Get(capability.SymRef) {
		if target, ok := strings.CutPrefix(link, "HEAD:"+branchPrefix); ok {
			return target
		}
	}
	return ""
}

// distance is Levenshtein's, of names in lower case.
func distance(a, b string) int {
	a, b = strings.ToLower(truncate(a, 60)), strings.ToLower(truncate(b, 60))
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
