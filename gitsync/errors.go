package gitsync

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
)

var (
	// ErrNotFound is reported for an object or a folder that the mirror does not hold.
	ErrNotFound = errors.New("not found")
	// ErrBranch is reported when the remote has no such branch, or nothing at all.
	ErrBranch = errors.New("no such branch")
	// ErrCredential is reported when the remote refuses the credential, or wants one.
	ErrCredential = errors.New("credential refused")
	// ErrOrigin is reported when the origin is not on the branch's first-parent chain.
	ErrOrigin = errors.New("origin not on the branch")

	// ErrNotTaken is what take returns for an update that it will not take, however often it is handed on.
	ErrNotTaken = errors.New("not taken")

	// ErrUnsigned is reported for a commit without a signature.
	ErrUnsigned = errors.New("not signed")
	// ErrUntrusted is reported for a commit signed by a key that the keyring does not hold.
	ErrUntrusted = errors.New("signed by a key that is not trusted")
	// ErrBadSignature is reported for a commit whose signature proves nothing: it is forged or made for something else, its key
	// is expired or revoked, its hash is weak.
	ErrBadSignature = errors.New("bad signature")
)

// errUnreadable is reported for what is in the mirror and cannot be read.
var errUnreadable = errors.New("the mirror cannot be read")

// TooLargeError reports a blob beyond what the reader asked for at most. Nothing was inflated.
type TooLargeError struct {
	Hash      Hash
	Size, Max int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("blob %s has %d bytes, more than the limit of %d", e.Hash.Short(), e.Size, e.Max)
}

// AmbiguousError reports an abbreviation that more than one commit begins with.
type AmbiguousError struct {
	Name       string
	Candidates []Hash // at most 20, by their digits
}

func (e *AmbiguousError) Error() string {
	names := make([]string, min(len(e.Candidates), maxHintNames))
	for i := range names {
		names[i] = e.Candidates[i].Short()
	}
	more := ""
	if len(e.Candidates) > len(names) {
		more = ", …"
	}
	return fmt.Sprintf("%s is short for several commits (%s%s): give more digits", e.Name, strings.Join(names, ", "), more)
}

// hinted is an error with a next step for a person.
type hinted struct {
	text string // what happened and what to do
	err  error  // what it is, for errors.Is
}

func (e *hinted) Error() string { return e.text }
func (e *hinted) Unwrap() error { return e.err }

func hint(err error, format string, args ...any) error {
	return &hinted{text: fmt.Sprintf(format, args...), err: err}
}

// missing turns go-git's word for an absent object into ours.
func missing(kind string, h Hash, err error) error {
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("%s %s: %w", kind, h.Short(), ErrNotFound)
	}
	return fmt.Errorf("%w: %s %s: %w", errUnreadable, kind, h.Short(), err)
}

// lost says that an object is missing which must be there: nobody asked for something that never was.
func lost(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %v", errUnreadable, err)
	}
	return err
}

// oneLine makes text of unknown origin fit for a log line or a status page.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return truncate(strings.Join(strings.Fields(text), " "), limit)
}

// truncate cuts s to at most limit bytes, between characters.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
