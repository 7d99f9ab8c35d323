package audit

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trunkline/trunkline/gitsync"
)

// columns of the CSV form. They stay; new ones are added at the end.
var columns = []string{
	"sequence", "stored", "sha256", "at", "kind", "environment", "commit", "author", "email", "coAuthors", "merged",
	"signer", "signerKey", "by", "committed", "subject", "verdict", "outcome", "rollbackOf", "problems", "rules", "changes", "paths",
	"reason", "details", "truncated", "uncertain", "lineage", "first", "last",
}

// CSV writes entries as a table (RFC 4180, with a header). Cells that a spreadsheet would take for a formula begin with an apostrophe:
// names, subjects and reasons are strangers' words.
type CSV struct {
	w      *csv.Writer
	headed bool
}

// NewCSV writes to w.
func NewCSV(w io.Writer) *CSV {
	c := &CSV{w: csv.NewWriter(w)}
	c.w.UseCRLF = true
	return c
}

// Write writes one entry, and before the first one the header.
func (c *CSV) Write(e Entry) error {
	if err := c.head(); err != nil {
		return err
	}
	cells := []string{strconv.FormatUint(e.Sequence, 10), clock(e.Stored), e.SHA256(), clock(e.Record.At), string(e.Record.Kind)}
	cells = append(cells, subjectCells(e.Record)...)
	cells = append(cells, verdictCells(e.Record)...)
	cells = append(cells, actCells(e.Record)...)
	cells = append(cells, strconv.FormatBool(e.Record.Truncated), strconv.FormatBool(e.Uncertain))
	cells = append(cells, lineageCells(e.Record)...)
	for i := range cells {
		cells[i] = harmless(cells[i])
	}
	return c.w.Write(cells)
}

func (c *CSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	return c.w.Write(columns)
}

// Flush writes what is still held back, and the header if there was no entry.
func (c *CSV) Flush() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// subjectCells tell of what and by whom: environment to subject.
func subjectCells(r *Record) []string {
	var author, email, coAuthors, merged, signer, key, by, committed, subject string
	if c := r.CommitRecord; c != nil {
		author, email, coAuthors, merged = c.Author.Name, c.Author.Email, joined(c.CoAuthors), joined(c.Merged)
		committed, subject = clock(c.Committed), c.Subject
		if c.Signer != nil {
			signer, key = c.Signer.Principal, c.Signer.Fingerprint
		}
	} else if people := r.people(); len(people) == 1 {
		by = people[0].Name
	}
	var commit string
	if r.Rewrite != nil {
		commit = r.Rewrite.New.String()
	} else if named := r.commits(); len(named) == 1 {
		commit = named[0].String()
	}
	return []string{r.environment(), commit, author, email, coAuthors, merged, signer, key, by, committed, subject}
}

// verdictCells tell what was decided: verdict to paths.
func verdictCells(r *Record) []string {
	c := r.CommitRecord
	if c == nil {
		return append(make([]string, 6), listed(slices.Collect(r.paths())))
	}
	var rules []string
	for _, p := range c.Problems {
		if !slices.Contains(rules, p.Rule) {
			rules = append(rules, p.Rule)
		}
	}
	return []string{
		string(c.Verdict), string(c.Outcome), name(c.RollbackOf), strconv.Itoa(c.ProblemsTotal), listed(rules), strconv.Itoa(c.ChangesTotal),
		listed(slices.Collect(r.paths())),
	}
}

// lineageCells tell what a commit takes back.
func lineageCells(r *Record) []string {
	if r.CommitRecord == nil || r.Lineage == nil {
		return make([]string, 3)
	}
	return []string{string(r.Lineage.Kind), name(r.Lineage.First), name(r.Lineage.Last)}
}

// actCells tell of operators: reason and details.
func actCells(r *Record) []string {
	var reason string
	var details any
	switch {
	case r.Event != nil:
		reason = r.Event.Reason
		if r.Event.Details != nil {
			details = r.Event.Details
		}
	case r.Acceptance != nil:
		reason = r.Acceptance.Reason
	case r.Checkpoint != nil:
		reason, details = r.Checkpoint.Reason, r.Checkpoint
	case r.Rewrite != nil:
		details = r.Rewrite
	case r.Settings != nil:
		details = r.Settings
	}
	if details == nil {
		return []string{reason, ""}
	}
	text, _ := json.Marshal(details)
	return []string{reason, string(text)}
}

func joined(people []Person) string {
	var all []string
	for _, p := range people {
		all = append(all, p.String())
	}
	return listed(all)
}

// listed puts several into one cell. What separates them is no separator of cells in any spreadsheet.
func listed(texts []string) string { return strings.Join(texts, " | ") }

func name(h *gitsync.Hash) string {
	if h == nil {
		return ""
	}
	return h.String()
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// harmless keeps a spreadsheet from calculating a cell: see "CSV Injection" of OWASP. Spreadsheets of some languages take the wide
// forms of the signs as well, and skip spaces before them. A cell that is longer than a spreadsheet takes is cut, and ends with "…".
func harmless(cell string) string {
	if len(cell) > maxCellBytes {
		cell = cut(cell, maxCellBytes) + "…"
	}
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " "))
	if cell != "" && strings.ContainsRune("=+-@\t\r\n\x00＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}
