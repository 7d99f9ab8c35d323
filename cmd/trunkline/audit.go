package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline/trunkline/value"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"Records: what went live or was rejected, who made it, what operators did."`
	Verify auditVerifyCmd `cmd:"" help:"Check that no record was changed or is missing."`
	Report auditReportCmd `cmd:"" help:"Changes, rejections, rollbacks and DORA's measures of a period."`
	Trim   auditTrimCmd   `cmd:"" help:"Let the oldest records go."`
}

type auditListCmd struct {
	Author  string   `help:"Part of the name or address of an author, a signer or an operator." placeholder:"TEXT"`
	Path    string   `help:"Pattern of a changed path, as checkout.**." placeholder:"PATTERN"`
	Kind    []string `help:"Kinds of records: commit, rewrite, settings, acceptance, pin, unpin, credential, refusal, reveal." placeholder:"KIND"`
	Commit  string   `help:"Beginning of a commit's name." placeholder:"COMMIT"`
	Verdict string   `help:"valid, rejected or pending." placeholder:"VERDICT"`
	Since   string   `help:"From a time on, or as long ago as 7d." placeholder:"TIME"`
	Until   string   `help:"Before a time, or longer ago than 1d." placeholder:"TIME"`
	After   uint64   `help:"Sequence of the record to go on from, as an answer before it told." placeholder:"N"`
	Limit   int      `help:"Most records of an answer." default:"50"`
	Oldest  bool     `help:"Oldest first."`
	Follow  bool     `help:"All records after --after and then each new one, a line of JSON each."`
	CSV     bool     `name:"csv" help:"A table for spreadsheets."`
	remote
}

func (auditListCmd) Help() string {
	return `It needs the right to history. With -o json the server's answer; its next is what --after goes on from.

Examples:
  trunkline audit list --author ada --since 7d
  trunkline audit list --path 'database.**' --env prod --verdict rejected
  trunkline audit list --follow --after 1200 | siem-forwarder`
}

func (c auditListCmd) Run(ctx context.Context, io *streams) error {
	query, err := c.query()
	if err != nil {
		return err
	}
	if c.Follow {
		return c.follow(ctx, io, query)
	}
	body, err := c.ask(ctx, "/v1/audit", query)
	if err != nil {
		return err
	}
	if c.CSV || c.json() {
		_, err := io.out.Write(body)
		return err
	}
	return showRecords(io, body)
}

func (c auditListCmd) query() (url.Values, error) {
	query := url.Values{
		"author": {c.Author}, "path": {c.Path}, "kind": c.Kind, "commit": {c.Commit}, "verdict": {c.Verdict}, "env": {c.Env},
		"limit": {strconv.Itoa(c.Limit)},
	}
	for name, text := range map[string]string{"since": c.Since, "until": c.Until} {
		at, err := past(text, time.Now())
		if err != nil {
			return nil, misused("--%s: %w", name, err)
		}
		query.Set(name, at)
	}
	if c.After > 0 {
		query.Set("after", strconv.FormatUint(c.After, 10))
	}
	if c.Oldest {
		query.Set("order", "oldest")
	}
	if c.CSV {
		query.Set("format", "csv")
	}
	for name, values := range query {
		if len(values) == 0 || len(values) == 1 && values[0] == "" {
			delete(query, name)
		}
	}
	return query, nil
}

// past reads a time, or how long ago it is; "" is none.
func past(text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return text, nil
	}
	d, err := value.ParseDuration(text)
	if err != nil || d <= 0 {
		return "", fmt.Errorf("%q is neither a time, as 2027-01-31T09:00:00Z, nor how long ago, as 7d", text)
	}
	return now.Add(-d).UTC().Format(time.RFC3339), nil
}

func (c auditListCmd) follow(ctx context.Context, io *streams, query url.Values) error {
	query.Set("follow", "")
	token, err := c.token()
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Server+"/v1/audit?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("--server %s: %w", c.Server, err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.client().Do(req)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w; %s", c.Server, err, distrusted(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		var body bytes.Buffer
		_, _ = body.ReadFrom(http.MaxBytesReader(nil, res.Body, 1<<16))
		return refusal(res.Status, body.Bytes())
	}
	lines := bufio.NewReader(res.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if _, failed := io.out.Write(line); failed != nil {
			return failed
		}
		switch {
		case ctx.Err() != nil:
			return nil // interrupted, as it is meant to be
		case err != nil:
			return fmt.Errorf("the server ended: %w; go on with --after and the last sequence", err)
		}
	}
}

// auditEntry is what is shown of a record.
type auditEntry struct {
	Sequence uint64
	Record   struct {
		At                                          time.Time
		Kind, Environment, Commit, Verdict, Subject string
		Outcome                                     string
		Author                                      struct{ Name string }
		Signer                                      *struct{ Principal string }
		Problems                                    []struct{ Path, Message, Rule, Severity string }
		ChangesTotal                                int
		Lineage                                     *struct{ Kind, Version, First, Last string }
		Rewrite                                     *struct {
			Old, New  string
			LostTotal int
			Refused   bool
		}
		Checkpoint *struct {
			From, UpTo uint64
			By, Reason string
		}
		Acceptance *struct{ Commit, By, Reason string }
		Event      *struct {
			By, Environment, Commit, Reason string
			Details                         map[string]string
		}
	}
}

func showRecords(io *streams, body []byte) error {
	var answer struct {
		Entries   []auditEntry
		Truncated bool
		Next      uint64
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	c := newPalette(io.color)
	for _, e := range answer.Entries {
		fmt.Fprintf(io.out, "%s %s\n", c.dim(fmt.Sprintf("%d %s", e.Sequence, e.Record.At.Local().Format(time.DateTime))), e.words(c))
	}
	if answer.Truncated {
		fmt.Fprintf(io.err, "there may be more: go on with --after %d\n", answer.Next)
	}
	return nil
}

// words tell of a record on one line.
func (e auditEntry) words(c palette) string {
	r := e.Record
	switch {
	case r.Event != nil:
		words := []string{c.bold(r.Kind), r.Event.Environment, short(r.Event.Commit)}
		if r.Event.By != "" {
			words = append(words, "by "+r.Event.By)
		}
		words = append(words, r.Event.Reason)
		for _, key := range []string{"name", "token", "environments", "patterns", "rights", "issuer", "changed", "path", "commit", "network", "count", "forced", "expires"} {
			if text := r.Event.Details[key]; text != "" {
				words = append(words, key+" "+text)
			}
		}
		return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	case r.Acceptance != nil:
		return fmt.Sprintf("%s %s by %s %s", c.bold(r.Kind), short(r.Acceptance.Commit), r.Acceptance.By, r.Acceptance.Reason)
	case r.Rewrite != nil:
		words := fmt.Sprintf("%s from %s to %s, %d commits lost", c.bold(r.Kind), short(r.Rewrite.Old), short(r.Rewrite.New), r.Rewrite.LostTotal)
		if r.Rewrite.Refused {
			words += ": refused"
		}
		return words
	case r.Checkpoint != nil:
		return fmt.Sprintf("%s: records %d to %d were trimmed by %s: %s", c.bold(r.Kind), r.Checkpoint.From, r.Checkpoint.UpTo, r.Checkpoint.By, r.Checkpoint.Reason)
	case r.Commit == "":
		return c.bold(r.Kind)
	}
	verdict := r.Verdict
	if r.Outcome != "" {
		verdict = r.Outcome
	}
	words := fmt.Sprintf("%s %s in %s: %s by %s", c.bold(verdict), c.cyan(short(r.Commit)), r.Environment, r.Subject, r.Author.Name)
	if r.Signer != nil {
		words += ", signed by " + r.Signer.Principal
	}
	for _, p := range r.Problems {
		if p.Severity == "error" {
			return words + "; " + p.Path + " " + p.Message + " (" + p.Rule + ")"
		}
	}
	if r.ChangesTotal > 0 {
		words += fmt.Sprintf("; %d changes", r.ChangesTotal)
	}
	return words + e.takesBack()
}

// takesBack tells what a commit restores or reverts.
func (e auditEntry) takesBack() string {
	l := e.Record.Lineage
	if l == nil {
		return ""
	}
	span := short(l.First)
	if l.Last != l.First {
		span += " to " + short(l.Last)
	}
	switch l.Kind {
	case "rollback":
		return "; restores " + short(l.Version)
	case "revert":
		return "; reverts " + span
	case "partialRevert":
		return "; reverts a part of " + span
	default:
		return "; says that it reverts something"
	}
}

type auditVerifyCmd struct {
	Head string `help:"A head that was published, as SEQUENCE:SHA256: the record is still that one." placeholder:"HEAD"`
	service
}

func (auditVerifyCmd) Help() string {
	return `Every record holds the SHA-256 of the one before. The exit code is 1 at a break, which is told. The head that is printed stands for all
records: publish it where nobody can change it, and verify by it later.

Examples:
  trunkline audit verify
  trunkline audit verify --head 1207:9f2c…`
}

func (c auditVerifyCmd) Run(ctx context.Context, io *streams) error {
	query := url.Values{}
	if c.Head != "" {
		sequence, sum, ok := strings.Cut(c.Head, ":")
		if !ok {
			return misused("--head %s: write SEQUENCE:SHA256, as it was printed", c.Head)
		}
		query.Set("sequence", sequence)
		query.Set("sha256", sum)
	}
	token, err := c.operatorToken()
	if err != nil {
		return err
	}
	body, err := c.askAs(ctx, token, "/v1/audit/verify", query)
	if err != nil {
		return err
	}
	var v struct {
		Checked, Unchained uint64
		Head               struct {
			Sequence uint64
			SHA256   string `json:"sha256"`
		}
		Break *struct {
			Break           string
			Sequence        uint64
			Expected, Found string
		}
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	if c.json() {
		_, err = io.out.Write(body)
	} else {
		fmt.Fprintf(io.out, "%d records, head %d:%s\n", v.Checked, v.Head.Sequence, v.Head.SHA256)
	}
	if v.Break != nil {
		if !c.json() {
			fmt.Fprintf(io.out, "the chain breaks at record %d: %s: expected %s, found %s\n", v.Break.Sequence, v.Break.Break, v.Break.Expected, v.Break.Found)
		}
		return errNo
	}
	return err
}

type auditReportCmd struct {
	Since string `help:"From a time on, or as long ago as 30d." default:"30d" placeholder:"TIME"`
	Until string `help:"Before a time; now without it." placeholder:"TIME"`
	service
}

func (auditReportCmd) Help() string {
	return `Markdown, or with -o json the numbers.

Example:
  trunkline audit report --since 90d > quarter.md`
}

func (c auditReportCmd) Run(ctx context.Context, io *streams) error {
	query := url.Values{}
	for name, text := range map[string]string{"since": c.Since, "until": c.Until} {
		at, err := past(text, time.Now())
		if err != nil {
			return misused("--%s: %w", name, err)
		}
		if at != "" {
			query.Set(name, at)
		}
	}
	if !c.json() {
		query.Set("format", "md")
	}
	token, err := c.operatorToken()
	if err != nil {
		return err
	}
	body, err := c.askAs(ctx, token, "/v1/audit/report", query)
	if err != nil {
		return err
	}
	_, err = io.out.Write(body)
	return err
}
