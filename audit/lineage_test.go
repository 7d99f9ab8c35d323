package audit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// What a commit takes back is on record as it was told, and comes back so.
func TestLineageIsOnRecord(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	lineages := []*apply.Lineage{
		nil,
		{Kind: apply.LineageRollback, Version: hash(1)},
		{Kind: apply.LineageRevert, First: hash(1), Last: hash(2), Confirmed: true, Claim: &gitsync.Claim{Commits: []string{"0200000"}, Subject: "commit 2"}},
		{Kind: apply.LineagePartial, First: hash(3), Last: hash(3), Paths: []string{"a.x"}},
		{Kind: apply.LineageClaimed, Claim: &gitsync.Claim{Reapply: true}},
	}
	for i, l := range lineages {
		d := decided(byte(i+1), "prod")
		d.Lineage = l
		record(t, log, []apply.Decision{d}, nil)
	}
	for i, r := range b.records() {
		if diff := cmp.Diff(lineages[i], r.Lineage.Lineage()); diff != "" {
			t.Errorf("lineage of record %d (-want +got):\n%s", i+1, diff)
		}
	}
	const want = `"lineage":{"kind":"revert","first":"0100000000000000000000000000000000000000","last":"0200000000000000000000000000000000000000",` +
		`"claim":{"commits":["0200000"],"subject":"commit 2"},"confirmed":true}`
	if data := string(b.raw()[2].Data); !strings.Contains(data, want) {
		t.Errorf("the record %s holds no %s", data, want)
	}
}

// A rewritten history that was not followed is remembered as such, and moves nothing.
func TestRefusedRewrites(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	record(t, log, []apply.Decision{made(1, 0, 1, apply.Applied)}, nil)
	record(t, log, []apply.Decision{made(2, 1, 2, apply.Applied)}, nil)
	w := moved(2, 1)
	w.At, w.Refused = second(3), true
	record(t, log, nil, w)
	expectLive(t, log, 1, 1, 2, 2, 2)
	remembered := b.open().Remembered()
	if got, want := remembered[len(remembered)-1], (apply.Remembered{Commit: hash(1), Parent: hash(2), Refused: true}); !cmp.Equal(got, want) {
		t.Errorf("remembered %+v, want %+v", got, want)
	}
	w.Refused = false
	record(t, log, nil, w)
	expectLive(t, log, 1, 1, 2, 1, 1)
	if r := report(t, log, second(0), second(9)); r.Rewrites != 1 || r.Refused != 1 {
		t.Errorf("%d rewrites, %d refused", r.Rewrites, r.Refused)
	}
}
