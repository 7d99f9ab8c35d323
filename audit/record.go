package audit

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
)

// Kind is what a record tells of. Those of events are named by whoever notes them.
type Kind string

// The kinds of records that are no events.
const (
	KindCommit     Kind = "commit"     // a verdict: one for each commit and environment, and one more where it was pending or asked again
	KindRewrite    Kind = "rewrite"    // the branch left its old head
	KindSettings   Kind = "settings"   // the server started with other settings
	KindAcceptance Kind = "acceptance" // an operator accepted a commit that breaks the rules on commits
	KindCheckpoint Kind = "checkpoint" // the log was trimmed

	// KindUnreadable stands for what is stored in the log's place and is no record. It is never written.
	KindUnreadable Kind = "unreadable"
)

// Record is one record of the log. Values never occur in it, only keyed digests.
type Record struct {
	// Prev is the SHA-256 of the bytes of the record stored before this one, in hexadecimal; empty in the first of a log. It is nil
	// while the record is not stored, and in records of versions of the program that did not chain them.
	Prev    *string   `json:"prev,omitempty"`
	Version int       `json:"v"`
	Kind    Kind      `json:"kind"`
	At      time.Time `json:"at"`
	// Truncated: problems, changes or texts were left out to keep the record small; the counts tell how many.
	Truncated bool `json:"truncated,omitempty"`

	*CommitRecord
	Rewrite    *RewriteRecord    `json:"rewrite,omitempty"`
	Settings   map[string]string `json:"settings,omitempty"`
	Acceptance *AcceptanceRecord `json:"acceptance,omitempty"`
	Checkpoint *Checkpoint       `json:"checkpoint,omitempty"`
	Event      *EventRecord      `json:"event,omitempty"`

	asked time.Time // of a pin: tells it from one that says the same
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

	Due            int                 `json:"due"` // how many environments the commit has a record for
	Verdict        apply.Verdict       `json:"verdict"`
	Retired        bool                `json:"retired,omitempty"` // the environment is no longer served
	Outcome        apply.Outcome       `json:"outcome,omitempty"`
	Baseline       *gitsync.Hash       `json:"baseline,omitempty"`
	RollbackOf     *gitsync.Hash       `json:"rollbackOf,omitempty"`
	Lineage        *LineageRecord      `json:"lineage,omitempty"` // what it takes back; nil when that is nothing
	Checksum       string              `json:"checksum,omitempty"`
	Problems       []compile.Problem   `json:"problems,omitempty"`
	ProblemsTotal  int                 `json:"problemsTotal,omitempty"`
	Changes        []apply.Change      `json:"changes,omitempty"`
	ChangesTotal   int                 `json:"changesTotal,omitempty"`
	Effects        []experiment.Effect `json:"effects,omitempty"`       // on those who are in a rollout or an experiment
	Reconstructed  bool                `json:"reconstructed,omitempty"` // written by a later start, at whose time
	ClaimedAuthors bool                `json:"claimedAuthors"`          // authors are what the commit says; nobody has verified them
	Signer         *Signer             `json:"signer,omitempty"`        // whose key signed it, by the keys of the server
	Waiting        string              `json:"waiting,omitempty"`       // what a pending verdict waits for
	Accepted       *gitsync.Hash       `json:"accepted,omitempty"`      // judged once more after an operator accepted this commit
}

// LineageRecord is what a record holds of an [apply.Lineage].
type LineageRecord struct {
	Kind      apply.LineageKind `json:"kind"`
	Version   *gitsync.Hash     `json:"version,omitempty"`
	First     *gitsync.Hash     `json:"first,omitempty"`
	Last      *gitsync.Hash     `json:"last,omitempty"`
	Paths     []string          `json:"paths,omitempty"`
	Claim     *gitsync.Claim    `json:"claim,omitempty"`
	Confirmed bool              `json:"confirmed"`
}

func lineageRecord(l *apply.Lineage) *LineageRecord {
	if l == nil {
		return nil
	}
	return &LineageRecord{l.Kind, optional(l.Version), optional(l.First), optional(l.Last), l.Paths, l.Claim, l.Confirmed}
}

// Lineage is what was recorded of it; nil when there is nothing.
func (l *LineageRecord) Lineage() *apply.Lineage {
	if l == nil {
		return nil
	}
	return &apply.Lineage{
		Kind: l.Kind, Version: required(l.Version), First: required(l.First), Last: required(l.Last), Paths: l.Paths, Claim: l.Claim, Confirmed: l.Confirmed,
	}
}

// Signer is whose key signed a commit: what is verified, where an author is only claimed.
type Signer struct {
	Kind        string `json:"kind"` // ssh or pgp
	Principal   string `json:"principal"`
	Fingerprint string `json:"fingerprint"`
}

// AcceptanceRecord is what a record of [KindAcceptance] holds.
type AcceptanceRecord struct {
	Commit gitsync.Hash  `json:"commit"`
	From   *gitsync.Hash `json:"from,omitempty"` // the head that the branch left for it, where that was refused: the move is accepted
	By     string        `json:"by"`
	Reason string        `json:"reason"`
}

// RewriteRecord is what a record of [KindRewrite] holds.
type RewriteRecord struct {
	Old       gitsync.Hash   `json:"old"`
	New       gitsync.Hash   `json:"new"`
	Fork      *gitsync.Hash  `json:"fork,omitempty"`
	Foxtrot   bool           `json:"foxtrot,omitempty"`
	Refused   bool           `json:"refused,omitempty"` // it was not followed: what was live stayed
	Lost      []gitsync.Hash `json:"lost,omitempty"`    // newest first
	LostTotal int            `json:"lostTotal,omitempty"`
	After     uint64         `json:"after"` // tells it from an earlier one between the same heads; grows along the log
}

// Person is somebody a commit names.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// String writes a person as Git does.
func (p Person) String() string {
	if p.Email == "" {
		return p.Name
	}
	return strings.TrimSpace(p.Name + " <" + p.Email + ">")
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
		Merged: persons(d.Commit.Merged), Committed: tellable(d.Commit.Committer.When), Subject: d.Commit.Subject,
		Due: d.Due, Verdict: d.Verdict, Retired: d.Retired, Outcome: d.Outcome, Baseline: optional(d.Baseline), RollbackOf: optional(d.RollbackOf),
		Lineage: lineageRecord(d.Lineage), Checksum: d.Checksum,
		Problems: d.Problems, ProblemsTotal: len(d.Problems) + d.Omitted, Changes: d.Changes, ChangesTotal: len(d.Changes) + d.ChangesOmitted,
		Effects: d.Effects, Reconstructed: d.Reconstructed, ClaimedAuthors: true, Waiting: d.Waiting, Accepted: optional(d.Accepted),
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

// tellable is a time as it can be written: a commit may claim any zone and any year.
func tellable(t time.Time) time.Time {
	for _, t := range []time.Time{t, t.UTC()} {
		if _, err := t.MarshalJSON(); err == nil {
			return t
		}
	}
	return time.Time{}
}

func rewriteRecord(w *apply.Rewrite, after uint64) *Record {
	return &Record{Version: 1, Kind: KindRewrite, At: w.At, Truncated: len(w.Lost) < w.LostTotal, Rewrite: &RewriteRecord{
		Old: w.Old, New: w.New, Fork: optional(w.Fork), Foxtrot: w.Foxtrot, Refused: w.Refused, Lost: w.Lost, LostTotal: w.LostTotal, After: after,
	}}
}

func acceptanceRecord(a *apply.Acceptance) *Record {
	return &Record{Version: 1, Kind: KindAcceptance, At: a.At, Acceptance: &AcceptanceRecord{a.Commit, optional(a.From), a.By, clip(a.Reason)}}
}

// whole tells whether a record holds what its kind promises.
func (r *Record) whole() bool {
	switch r.Kind {
	case KindCommit:
		return r.CommitRecord != nil
	case KindRewrite:
		return r.Rewrite != nil
	case KindAcceptance:
		return r.Acceptance != nil
	case KindCheckpoint:
		return r.Checkpoint != nil
	case KindSettings:
		return true
	default:
		return r.Kind != ""
	}
}

// environment is what the record is about; empty when it is about all of them or none.
func (r *Record) environment() string {
	switch {
	case r.CommitRecord != nil:
		return r.Environment
	case r.Event != nil:
		return r.Event.Environment
	}
	return ""
}

// commits are those that the record names as its subject.
func (r *Record) commits() []gitsync.Hash {
	switch {
	case r.CommitRecord != nil:
		return []gitsync.Hash{r.Commit}
	case r.Acceptance != nil:
		return []gitsync.Hash{r.Acceptance.Commit}
	case r.Rewrite != nil:
		return append([]gitsync.Hash{r.Rewrite.Old, r.Rewrite.New}, r.Rewrite.Lost...)
	case r.Event != nil && r.Event.Commit != nil:
		return []gitsync.Hash{*r.Event.Commit}
	}
	return nil
}

// people are all whom the record holds responsible: authors as claimed, the signer as verified, the operator by the credential's name.
func (r *Record) people() []Person {
	switch {
	case r.CommitRecord != nil:
		people := slices.Concat([]Person{r.Author}, r.CoAuthors, r.Merged)
		if r.Signer != nil {
			people = append(people, Person{Name: r.Signer.Principal})
		}
		return people
	case r.Acceptance != nil:
		return []Person{{Name: r.Acceptance.By}}
	case r.Checkpoint != nil:
		return []Person{{Name: r.Checkpoint.By}}
	case r.Event != nil:
		return []Person{{Name: r.Event.By}}
	}
	return nil
}

// paths are those that the record's changes, problems and details name.
func (r *Record) paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		if e := r.Event; e != nil && e.Details[DetailPath] != "" {
			yield(e.Details[DetailPath])
		}
		if r.CommitRecord == nil {
			return
		}
		for _, c := range r.Changes {
			if !yield(c.Path) {
				return
			}
		}
		for _, p := range r.Problems {
			if p.Path != "" && !yield(p.Path) {
				return
			}
		}
	}
}
