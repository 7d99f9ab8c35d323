package audit

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

// WriteMarkdown writes the report for people. What strangers wrote, as names and subjects, is escaped.
func (r *Report) WriteMarkdown(w io.Writer) error {
	d := &document{}
	d.line("# Audit report")
	d.line("From %s to %s: %d records.", clock(r.From), clock(r.To), r.Records)
	if r.AsOf.Sequence > 0 {
		d.line("As of record %d, SHA-256 `%s`.", r.AsOf.Sequence, r.AsOf.SHA256)
	}
	if len(r.Notes) > 0 {
		var notes []string
		for _, note := range r.Notes {
			notes = append(notes, "- "+plain(note))
		}
		d.line("%s", strings.Join(notes, "\n"))
	}
	r.writeEnvironments(d)
	r.writeChanges(d)
	r.writeFailures(d)
	r.writeActs(d)
	_, err := io.WriteString(w, d.text.String())
	return err
}

func (r *Report) writeEnvironments(d *document) {
	d.section("Environments", len(r.Environments))
	d.table("environment", "went live", "superseded", "withheld", "rejected", "rolled back", "change failure rate", "lead time: median, p90", "time to restore: median, p90", "pending: median, p90", "still pending")
	for _, e := range r.Environments {
		rate := "–"
		if e.ChangeFailureRate != nil {
			rate = fmt.Sprintf("%.1f %%", 100**e.ChangeFailureRate)
		}
		d.row(e.Name, e.Deployments, e.Superseded, e.Withheld, e.Rejected, e.Failed, rate, e.LeadTime, e.TimeToRestore, e.Pending, e.StillPending)
	}
	if len(r.Environments) > 0 {
		d.line("Lead time, change failure rate and time to restore are meant as [DORA](https://dora.dev/guides/dora-metrics-four-keys/) defines them.")
	}
}

func (r *Report) writeChanges(d *document) {
	d.section("Changes by author", len(r.Authors))
	d.table("author", "commits", "valid", "rejected", "not verified", "changed values")
	for _, a := range r.Authors {
		d.row(a.Person, a.Commits, a.Valid, a.Rejected, a.Unverified, a.Changes)
	}
	unverified := slices.DeleteFunc(slices.Clone(r.Authors), func(a AuthorReport) bool { return a.Unverified == 0 })
	d.section("Authors whose signature was not verified", len(unverified))
	d.table("author", "valid commits without a verified signature")
	for _, a := range unverified {
		d.row(a.Person, a.Unverified)
	}
	d.section("Changes by area", len(r.Areas))
	d.table("area", "commits", "changed values")
	for _, a := range r.Areas {
		d.row(cmp.Or(a.Area, "(root)"), a.Commits, a.Changes)
	}
}

func (r *Report) writeFailures(d *document) {
	d.section("Rejections", len(r.Rejections))
	d.table("rule", "stage", "commits", "for example")
	for _, j := range r.Rejections {
		var examples []string
		for _, e := range j.Examples {
			examples = append(examples, fmt.Sprintf("%s %s (%s)", e.Commit.Short(), e.Subject, e.Author.Name))
		}
		d.row(j.Rule, j.Stage, j.Commits, strings.Join(examples, "; "))
	}
	d.section("Rollbacks", len(r.Rollbacks))
	d.table("at", "environment", "by commit or pin", "author", "what it restored or reverted", "versions undone", "time to restore")
	for _, b := range r.Rollbacks {
		took := "–"
		if b.Seconds != nil {
			took = duration(*b.Seconds)
		}
		how := b.Commit.Short() + " " + b.Subject
		if b.Pin {
			how = "pin: " + b.Subject
		}
		d.row(b.At, b.Environment, how, b.Author, b.what(), b.Undone, took)
	}
}

// what tells what a rollback led back to, or what it took back.
func (b *RollbackReport) what() string {
	switch {
	case b.Restored != nil:
		return "restored " + b.Restored.Short()
	case *b.First == *b.Last:
		return "reverted " + b.First.Short()
	default:
		return fmt.Sprintf("reverted %s to %s", b.First.Short(), b.Last.Short())
	}
}

func (r *Report) writeActs(d *document) {
	d.section("Commits that an operator accepted", len(r.Acceptances))
	d.table("at", "commit", "by", "reason")
	for _, a := range r.Acceptances {
		d.row(a.At, a.Commit.Short(), a.By, a.Reason)
	}
	if n := r.Rewrites + r.Refused; n > 0 {
		d.section("Rewritten history", n)
		d.line("The branch left its old head: %d. Of these, refused: %d.", n, r.Refused)
	}
	d.section("Operators and access", len(r.Events))
	d.table("what", "times", "by")
	for _, e := range r.Events {
		var by []string
		for _, name := range slices.Sorted(maps.Keys(e.By)) {
			by = append(by, fmt.Sprintf("%s: %d", cmp.Or(name, "–"), e.By[name]))
		}
		d.row(string(e.Kind), e.Count, strings.Join(by, ", "))
	}
	d.section(fmt.Sprintf("The newest %d of each", maxNewest), len(r.Events))
	d.table("what", "at", "by", "environment", "commit", "reason")
	for _, e := range r.Events {
		for _, one := range e.Newest {
			d.row(string(e.Kind), one.At, one.By, one.Environment, short(one.Commit), one.Reason)
		}
	}
}

func short(h *gitsync.Hash) string {
	if h == nil {
		return ""
	}
	return h.Short()
}

// document is a text in Markdown. A table without rows is left out.
type document struct {
	text  strings.Builder
	empty bool
}

func (d *document) line(format string, args ...any) {
	if d.text.Len() > 0 {
		d.text.WriteString("\n")
	}
	fmt.Fprintf(&d.text, format+"\n", args...)
}

func (d *document) section(title string, rows int) {
	d.line("## %s", plain(title))
	if d.empty = rows == 0; d.empty {
		d.line("None.")
	}
}

func (d *document) table(columns ...string) {
	if !d.empty {
		d.line("| %s |\n|%s", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
	}
}

func (d *document) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		switch c := cell.(type) {
		case Spread:
			texts[i] = "–"
			if c.Count > 0 {
				texts[i] = fmt.Sprintf("%s, %s", duration(c.Median), duration(c.P90))
			}
		case time.Time:
			texts[i] = c.UTC().Format(time.RFC3339)
		default:
			texts[i] = plain(fmt.Sprint(c))
		}
	}
	fmt.Fprintf(&d.text, "| %s |\n", strings.Join(texts, " | "))
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// plain writes a text so that Markdown shows it as it is, in one line.
func plain(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c < ' ' || c == 0x7f:
			b.WriteByte(' ')
		case c == '<':
			b.WriteString("&lt;")
		case strings.ContainsRune("\\`*_[]|#~!&$", c):
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
