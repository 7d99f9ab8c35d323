package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/trunkline/trunkline/server"
)

type auditTrimCmd struct {
	Before string `help:"What was stored before a time, or longer ago than 400d." placeholder:"TIME"`
	Keep   uint64 `help:"Keep so many of the newest records in any case." placeholder:"N"`
	Reason string `help:"Why; it stays on record." required:"" placeholder:"TEXT"`
	DryRun bool   `help:"Only tell what would go."`
	service
}

func (auditTrimCmd) Help() string {
	return `A checkpoint takes the place of the records that go: it names them, is chained like any record, and keeps the settings, the accepted
commits and the pins that still count. The verdicts on the newest 2,000 commits stay. Nothing goes from a log whose chain is broken. Copy
the records first if somebody may ask for them: trunkline audit list --follow writes them all. It needs a token with the right to
operate over everything; on the server's machine its own is found by TRUNKLINE_DATA.

Examples:
  trunkline audit trim --before 400d --reason 'kept for a year' --dry-run
  trunkline audit trim --keep 500000 --reason 'the disk is full'`
}

// trimPatience is for a log as large as it may be.
const trimPatience = 10 * time.Minute

func (c auditTrimCmd) Run(ctx context.Context, io *streams) error {
	asked := server.Trim{Keep: c.Keep, Reason: c.Reason, DryRun: c.DryRun}
	before, err := past(c.Before, time.Now())
	if err != nil {
		return misused("--before: %w", err)
	}
	if before != "" {
		asked.Before, _ = time.Parse(time.RFC3339, before) // past writes what can be read
	}
	ctx, cancel := context.WithTimeout(ctx, trimPatience)
	defer cancel()
	var done server.Trimmed
	if err := c.act(ctx, http.MethodPost, "/v1/audit/trim", asked, &done); err != nil {
		return err
	}
	if c.json() {
		return json.NewEncoder(io.out).Encode(done)
	}
	if done.Checkpoint == nil {
		fmt.Fprintln(io.out, "nothing is older than what is to be kept")
		return nil
	}
	verb := "removed"
	if done.DryRun {
		verb = "would remove"
	}
	p := done.Checkpoint
	fmt.Fprintf(io.out, "%s %d records, %d to %d, stored until %s\n", verb, p.Records, p.From, p.UpTo, p.Newest.Local().Format(time.DateTime))
	fmt.Fprintf(io.err, "the log holds %d records in %d MB\n", done.Size.Records, done.Size.Bytes>>20)
	return nil
}
