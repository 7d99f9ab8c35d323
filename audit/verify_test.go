package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
)

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func verify(t *testing.T, log *audit.Log, published ...audit.Head) *audit.Verification {
	t.Helper()
	v, err := log.Verify(t.Context(), published...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func head(t *testing.T, log *audit.Log) audit.Head {
	t.Helper()
	h, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// whole checks that a chain of so many records holds.
func whole(t *testing.T, log *audit.Log, checked uint64, published ...audit.Head) *audit.Verification {
	t.Helper()
	v := verify(t, log, published...)
	if v.Break != nil || v.Checked != checked {
		t.Fatalf("%d records checked, want %d; %v", v.Checked, checked, v.Break)
	}
	return v
}

// broken checks where and how a chain breaks.
func broken(t *testing.T, log *audit.Log, sequence uint64, which string, published ...audit.Head) *audit.Break {
	t.Helper()
	v := verify(t, log, published...)
	if v.Break == nil || v.Break.Sequence != sequence || v.Break.Break != which {
		t.Fatalf("the chain breaks: %v; want %s at %d", v.Break, which, sequence)
	}
	return v.Break
}

func TestTheChainGoesOnOverRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var heads []audit.Head
	for n := byte(0); n < 3; n++ {
		b := openBus(t, dir)
		log, stop := b.running()
		whole(t, log, uint64(4*n), heads...)
		record(t, log, twice(2*n+1), nil)
		record(t, log, twice(2*n+1), nil) // again, which stores nothing
		heads = append(heads, head(t, log))
		record(t, log, []apply.Decision{decided(2*n+2, "prod")}, moved(2*n+1, 2*n+2))
		stop()
		b.close()
	}
	b := openBus(t, dir)
	log := b.open()
	v := whole(t, log, 12, heads...)
	if v.Head != head(t, log) || v.ChainedFrom != 1 || v.Unchained != 0 || v.Trimmed || v.First != 1 {
		t.Errorf("%+v", v)
	}
	prev := ""
	for i, m := range b.raw() {
		if want := fmt.Sprintf(`{"prev":"%s","v":1,`, prev); !strings.HasPrefix(string(m.Data), want) {
			t.Errorf("record %d does not begin with %s", i+1, want)
		}
		prev = sum(m.Data)
	}
	if h := head(t, log); h.SHA256 != prev || h.Sequence != 12 || h.At.IsZero() {
		t.Errorf("head %+v, want %s", h, prev)
	}
}

func TestAnEmptyLogIsWhole(t *testing.T) {
	t.Parallel()
	log := openBus(t, t.TempDir()).open()
	if v := whole(t, log, 0, audit.Head{}); v.ChainedFrom != 0 {
		t.Errorf("%+v", v)
	}
	if h := head(t, log); h != (audit.Head{}) {
		t.Errorf("head %+v", h)
	}
}

// Whatever is done to the store beside the program is named.
func TestTheFirstBreakIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		harm     func(b *bus, all []*jetstream.RawStreamMsg)
		sequence uint64
		which    string
	}{
		"a record beside the chain": {func(b *bus, _ []*jetstream.RawStreamMsg) {
			b.forge("trunkline.audit.commit.prod.forged", `{"v":1,"kind":"commit"}`)
		}, 7, audit.BreakUnchained},
		"a record of another chain": {func(b *bus, all []*jetstream.RawStreamMsg) {
			b.forge("trunkline.audit.commit.prod.forged", string(all[1].Data))
		}, 7, audit.BreakChanged},
		"what is no record": {func(b *bus, _ []*jetstream.RawStreamMsg) {
			b.forge("trunkline.audit.x", "\x00")
		}, 7, audit.BreakUnchained},
		"one letter changed": {func(b *bus, all []*jetstream.RawStreamMsg) {
			all[2].Data = bytes.Replace(all[2].Data, []byte("Ada"), []byte("Eva"), 1)
			b.rewrite(all)
		}, 4, audit.BreakChanged},
		"two records in each other's place": {func(b *bus, all []*jetstream.RawStreamMsg) {
			all[3], all[4] = all[4], all[3]
			b.rewrite(all)
		}, 4, audit.BreakChanged},
		"one record less": {func(b *bus, all []*jetstream.RawStreamMsg) {
			b.rewrite(slices.Delete(all, 1, 2))
		}, 2, audit.BreakChanged},
		"the beginning cut off": {func(b *bus, all []*jetstream.RawStreamMsg) {
			b.rewrite(all[2:])
		}, 1, audit.BreakMissing},
		"the beginning cut off, and the rest moved up": {func(b *bus, all []*jetstream.RawStreamMsg) {
			all[2].Sequence = 1
			b.rewrite(all[2:])
		}, 1, audit.BreakChanged},
		"all of it removed": {func(b *bus, _ []*jetstream.RawStreamMsg) {
			if err := b.stream().Purge(b.t.Context()); err != nil {
				b.t.Fatal(err)
			}
		}, 1, audit.BreakMissing},
		"a checkpoint that is none": {func(b *bus, all []*jetstream.RawStreamMsg) {
			data := fmt.Sprintf(`{"prev":"%s","v":1,"kind":"checkpoint","checkpoint":{"upTo":3,"sha256":"00"}}`, sum(all[5].Data))
			b.forge("trunkline.audit.checkpoint.3", data)
		}, 7, audit.BreakCheckpoint},
		"a checkpoint of what comes after it": {func(b *bus, all []*jetstream.RawStreamMsg) {
			data := fmt.Sprintf(`{"prev":"%s","v":1,"kind":"checkpoint","checkpoint":{"upTo":9}}`, sum(all[5].Data))
			b.forge("trunkline.audit.checkpoint.9", data)
		}, 7, audit.BreakCheckpoint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBus(t, t.TempDir())
			log, stop := b.running()
			for n := byte(1); n <= 3; n++ {
				record(t, log, twice(n), nil)
			}
			stop()
			test.harm(b, b.raw())
			found := broken(t, b.open(), test.sequence, test.which)
			if text := found.Error(); !strings.Contains(text, fmt.Sprint(test.sequence)) || found.Expected == "" || found.Found == "" {
				t.Errorf("the break says %q", text)
			}
			if _, err := b.open().Trim(t.Context(), audit.Trimming{Records: 1}); err == nil {
				t.Error("a broken log can be trimmed")
			}
		})
	}
}

// What the chain cannot show by itself a published head shows: that the newest record was changed, that the end was cut off, that all
// was written anew.
func TestAPublishedHeadHoldsTheEnd(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	record(t, log, twice(1), nil)
	early := head(t, log)
	record(t, log, twice(2), nil)
	published := head(t, log)
	stop()
	all := b.raw()
	whole(t, log, 4, published, early)

	b.rewrite(all[:3])
	whole(t, log, 3, early)
	broken(t, log, 4, audit.BreakPublished, early, published)

	changed := *all[3]
	changed.Data = bytes.Replace(changed.Data, []byte("Ada"), []byte("Eva"), 1)
	b.rewrite(append(slices.Clone(all[:3]), &changed))
	whole(t, log, 4, early)
	if found := broken(t, log, 4, audit.BreakPublished, published); !strings.Contains(found.Expected, published.SHA256) || found.Kind != audit.KindCommit {
		t.Errorf("%+v", found)
	}
}

// The bus notices itself when bytes on its disk change, and does not hand out the record: the gap is named.
func TestAChangedStoreIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	log, stop := b.running()
	for n := byte(1); n <= 3; n++ {
		record(t, log, twice(n), nil)
	}
	published := head(t, log)
	stop()
	b.close()
	blocks, err := filepath.Glob(filepath.Join(dir, "bus", "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v", blocks, err)
	}
	data, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte(`"subject":"commit 2"`))
	data[at+len(`"subject":"c`)] = 'a'
	if err := os.WriteFile(blocks[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	b = openBus(t, dir)
	v := verify(t, b.open(), published)
	if v.Break == nil || v.Head.Sequence > 3 {
		t.Errorf("%+v", v)
	}
}

// Two writers may share a stream, as replicas do or a process and the last words of the one before it: each record is chained to
// the one before it, whoever wrote that, and none is stored twice.
func TestTwoWritersDoNotForkTheChain(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	logs := make([]*audit.Log, 2)
	for i := range logs {
		logs[i], _ = b.running()
	}
	const commits = 60
	var writers sync.WaitGroup
	for i, log := range logs {
		writers.Go(func() {
			for n := byte(1); n <= commits; n++ {
				own := decided(n, fmt.Sprint("own", i))
				record(t, log, append(twice(n), own), nil) // the others are given by both
			}
		})
	}
	writers.Wait()
	v := whole(t, logs[0], 4*commits)
	if v.ChainedFrom != 1 {
		t.Errorf("%+v", v)
	}
	once := map[string]int{}
	for _, line := range briefly(b.records()) {
		once[line]++
	}
	if len(once) != 4*commits {
		t.Errorf("%d different records", len(once))
	}
}

// A log that earlier versions of the program wrote goes on: what is new is chained to what is there.
func TestAnEarlierLogGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	b.open()
	for n := 1; n <= 3; n++ {
		b.forge(fmt.Sprintf("trunkline.audit.commit.prod.%040d", n), fmt.Sprintf(`{"v":1,"kind":"commit","at":"2026-01-01T09:00:00Z","environment":"prod","commit":"%040d","verdict":"valid","due":1}`, n))
	}
	if v := whole(t, b.open(), 3); v.Unchained != 3 || v.ChainedFrom != 0 {
		t.Errorf("%+v", v)
	}
	log, stop := b.running()
	if n := len(log.Remembered()); n != 3 {
		t.Errorf("%d records are remembered", n)
	}
	record(t, log, twice(9), nil)
	if v := whole(t, log, 5); v.Unchained != 3 || v.ChainedFrom != 4 {
		t.Errorf("%+v", v)
	}
	stop()
	all := b.raw()
	all[2].Data = bytes.Replace(all[2].Data, []byte("valid"), []byte("tidal"), 1)
	b.rewrite(all)
	broken(t, log, 4, audit.BreakChanged)
}

// What somebody else writes into the log is chained to like any record, and never keeps the program from starting.
func TestStrangeRecordsHinderNothing(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	record(t, log, twice(1), nil)
	for i, data := range []string{"", "\x00", "[]", "{}", `{"kind":"commit"}`, `{"kind":"rewrite"}`, `{"kind":"acceptance"}`, `{"kind":"checkpoint"}`, `{"kind":"later"}`, "{\n}"} {
		b.forge(fmt.Sprintf("trunkline.audit.commit.prod.%d", i), data)
	}
	record(t, log, twice(2), nil)
	stop()
	log, _ = b.running()
	record(t, log, twice(3), nil)
	if n := len(log.Remembered()); n != 4 {
		t.Errorf("%d records are remembered, want 4", n)
	}
	broken(t, log, 3, audit.BreakUnchained)
	answer, err := log.Query(t.Context(), audit.Query{Kinds: []audit.Kind{audit.KindUnreadable}, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	var at []uint64
	for _, e := range answer.Entries {
		at = append(at, e.Sequence)
	}
	if diff := cmp.Diff([]uint64{3, 4, 5, 6, 7, 8, 9, 10, 12}, at); diff != "" {
		t.Errorf("unreadable (-want +got):\n%s", diff)
	}
}
