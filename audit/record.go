package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Kind is what a record tells of.
type Kind string

// The kinds of records.
const (
	KindCommit     Kind = "commit"     // a verdict: one for each commit and environment, and one more where it was pending or asked again
	KindRewrite    Kind = "rewrite"    // the branch left its old head
	KindSettings   Kind = "settings"   // the server started with other settings
	KindAcceptance Kind = "acceptance" // an operator accepted a commit that breaks the rules on commits
)

// Record is one entry of the log. Values never occur in it, only keyed digests.
type Record struct {
	Version int       `json:"v"`
	Kind    Kind      `json:"kind"`
	At      time.Time `json:"at"`
	// Truncated: problems, changes or texts were left out to keep the record small; the counts tell how many.
	Truncated bool `json:"truncated,omitempty"`

	*CommitRecord
	Rewrite    *RewriteRecord    `json:"rewrite,omitempty"`
	Settings   map[string]string `json:"settings,omitempty"`
	Acceptance *AcceptanceRecord `json:"acceptance,omitempty"`
}

// CommitRecord is what a record of [KindCommit] holds.
type CommitRecord struct {
	Environment string         `json:"environment"`
	Commit      gitsync.Hash   `json:"commit"`
	Parent      *gitsync.Hash  `json:"parent,omitempty"` // what it was judged after
	Parents     []gitsync.Hash `json:"parents,omitempty"`
	Tree        gitsync.Hash   `json:"tree"`
	Author      Person         `json:"author"`
	Committer   Person         `json:"committer"`
	CoAuthors   []Person       `json:"coAuthors,omitempty"`
	Merged      []Person       `json:"merged,omitempty"` // authors of what a merge brought in
	Committed   time.Time      `json:"committed"`
	Subject     string         `json:"subject"`
	Message     string         `json:"message,omitempty"` // when it is more than the subject

	Due            int               `json:"due"` // how many environments the commit has a record for
	Verdict        apply.Verdict     `json:"verdict"`
	Retired        bool              `json:"retired,omitempty"` // the environment is no longer served
	Outcome        apply.Outcome     `json:"outcome,omitempty"`
	Baseline       *gitsync.Hash     `json:"baseline,omitempty"`
	RollbackOf     *gitsync.Hash     `json:"rollbackOf,omitempty"`
	Checksum       string            `json:"checksum,omitempty"`
	Problems       []compile.Problem `json:"problems,omitempty"`
	ProblemsTotal  int               `json:"problemsTotal,omitempty"`
	Changes        []apply.Change    `json:"changes,omitempty"`
	ChangesTotal   int               `json:"changesTotal,omitempty"`
	Reconstructed  bool              `json:"reconstructed,omitempty"` // written by a later start, at whose time
	ClaimedAuthors bool              `json:"claimedAuthors"`          // authors are what the commit says; nobody has verified them
	Signer         *Signer           `json:"signer,omitempty"`        // whose key signed it, by the keys of the server
	Waiting        string            `json:"waiting,omitempty"`       // what a pending verdict waits for
	Accepted       *gitsync.Hash     `json:"accepted,omitempty"`      // judged once more after an operator accepted this commit
}

// Signer is whose key signed a commit: what is verified, where an author is only claimed.
type Signer struct {
	Kind        string `json:"kind"` // ssh or pgp
	Principal   string `json:"principal"`
	Fingerprint string `json:"fingerprint"`
}

// AcceptanceRecord is what a record of [KindAcceptance] holds.
type AcceptanceRecord struct {
	Commit gitsync.Hash `json:"commit"`
	By     string       `json:"by"`
	Reason string       `json:"reason"`
}

// RewriteRecord is what a record of [KindRewrite] holds.
type RewriteRecord struct {
	Old       gitsync.Hash   `json:"old"`
	New       gitsync.Hash   `json:"new"`
	Fork      *gitsync.Hash  `json:"fork,omitempty"`
	Foxtrot   bool           `json:"foxtrot,omitempty"`
	Lost      []gitsync.Hash `json:"lost,omitempty"` // newest first
	LostTotal int            `json:"lostTotal,omitempty"`
	After     uint64         `json:"after"` // tells it from an earlier one between the same heads; grows along the log
}

// Person is somebody a commit names.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

func person(p gitsync.Person) Person { return Person{p.Name, p.Email} }

func persons(list []gitsync.Person) []Person {
	var out []Person
	for _, p := range list {
		out = append(out, person(p))
	}
	return out
}

func optional(h gitsync.Hash) *gitsync.Hash {
	if h.IsZero() {
		return nil
	}
	return &h
}

func required(h *gitsync.Hash) gitsync.Hash {
	if h == nil {
		return gitsync.Hash{}
	}
	return *h
}

func commitRecord(d apply.Decision) *Record {
	r := &CommitRecord{
		Environment: d.Environment, Commit: d.Commit.Hash, Parent: optional(d.Parent), Parents: d.Commit.Parents, Tree: d.Tree,
		Author: person(d.Commit.Author), Committer: person(d.Commit.Committer), CoAuthors: persons(d.Commit.CoAuthors),
		Merged: persons(d.Commit.Merged), Committed: d.Commit.Committer.When, Subject: d.Commit.Subject,
		Due: d.Due, Verdict: d.Verdict, Retired: d.Retired, Outcome: d.Outcome, Baseline: optional(d.Baseline), RollbackOf: optional(d.RollbackOf), Checksum: d.Checksum,
		Problems: d.Problems, ProblemsTotal: len(d.Problems) + d.Omitted, Changes: d.Changes, ChangesTotal: len(d.Changes) + d.ChangesOmitted,
		Reconstructed: d.Reconstructed, ClaimedAuthors: true, Waiting: d.Waiting, Accepted: optional(d.Accepted),
	}
	if d.Signer != nil {
		r.Signer = &Signer{d.Signer.Kind, d.Signer.Principal, d.Signer.Fingerprint}
	}
	if d.Commit.Message != d.Commit.Subject {
		r.Message = d.Commit.Message
	}
	return &Record{
		Version: 1, Kind: KindCommit, At: d.At, CommitRecord: r,
		Truncated: d.Omitted > 0 || d.ChangesOmitted > 0,
	}
}

func rewriteRecord(w *apply.Rewrite, after uint64) *Record {
	return &Record{Version: 1, Kind: KindRewrite, At: w.At, Truncated: len(w.Lost) < w.LostTotal, Rewrite: &RewriteRecord{
		Old: w.Old, New: w.New, Fork: optional(w.Fork), Foxtrot: w.Foxtrot, Lost: w.Lost, LostTotal: w.LostTotal, After: after,
	}}
}

func acceptanceRecord(a *apply.Acceptance) *Record {
	return &Record{Version: 1, Kind: KindAcceptance, At: a.At, Acceptance: &AcceptanceRecord{a.Commit, a.By, clip(a.Reason)}}
}

// subject names a record for the bus. The bus keeps one message a subject, so a record cannot be written twice however often it
// is sent.
func (r *Record) subject() string {
	switch r.Kind {
	case KindRewrite:
		return fmt.Sprintf("%s.rewrite.%d.%s.%s", subjects, r.Rewrite.After, r.Rewrite.Old, r.Rewrite.New)
	case KindSettings:
		return fmt.Sprintf("%s.settings.%d", subjects, r.At.UnixNano())
	case KindAcceptance:
		return fmt.Sprintf("%s.acceptance.%s.%d", subjects, r.Acceptance.Commit, r.At.UnixNano())
	}
	switch {
	case r.Verdict == apply.Pending:
		return fmt.Sprintf("%s.pending.%s.%s", subjects, r.Environment, r.Commit)
	case r.Accepted != nil:
		return fmt.Sprintf("%s.accepted.%s.%s", subjects, r.Environment, r.Commit)
	default:
		return fmt.Sprintf("%s.commit.%s.%s", subjects, r.Environment, r.Commit)
	}
}

// encode writes the record, shortened until it fits.
func (r *Record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	for keep := maxProblems; err == nil && len(data) > MaxRecordBytes; keep /= 2 {
		r.shorten(keep)
		if data, err = json.Marshal(r); keep == 0 {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encode a record: %w", err)
	}
	return data, nil
}

func (r *Record) shorten(keep int) {
	r.Truncated = true
	if c := r.CommitRecord; c != nil {
		short := *c
		short.Problems = c.Problems[:min(len(c.Problems), keep)]
		short.Changes = c.Changes[:min(len(c.Changes), keep)]
		short.CoAuthors = c.CoAuthors[:min(len(c.CoAuthors), keep)]
		short.Merged = c.Merged[:min(len(c.Merged), keep)]
		short.Parents = c.Parents[:min(len(c.Parents), max(keep, 1))]
		short.Subject, short.Message = clip(c.Subject), clip(c.Message)
		r.CommitRecord = &short
	}
	if w := r.Rewrite; w != nil {
		short := *w
		short.Lost = w.Lost[:min(len(w.Lost), keep)]
		r.Rewrite = &short
	}
}

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut]
}
