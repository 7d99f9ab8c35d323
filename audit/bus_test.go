package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// bus is an embedded server with its store in a directory, as the program runs it.
type bus struct {
	t      testing.TB
	server *natsserver.Server
	conn   *nats.Conn
	js     jetstream.JetStream
}

func openBus(t testing.TB, dir string) *bus {
	t.Helper()
	return openBusWith(t, dir, true)
}

// openBusWith opens a bus that has what it acknowledges on disk, or leaves that to the system.
func openBusWith(t testing.TB, dir string, sync bool) *bus {
	t.Helper()
	server, err := natsserver.NewServer(&natsserver.Options{
		ServerName: "test", DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: filepath.Join(dir, "bus"), SyncAlways: sync,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	b := &bus{t: t, server: server}
	t.Cleanup(b.close)
	if !server.ReadyForConnections(10 * time.Second) {
		t.Fatal("the bus is not ready")
	}
	if b.conn, err = nats.Connect("", nats.InProcessServer(server)); err != nil {
		t.Fatal(err)
	}
	if b.js, err = jetstream.New(b.conn); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bus) close() {
	if b.conn != nil {
		b.conn.Close()
	}
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

func (b *bus) open() *audit.Log {
	b.t.Helper()
	log, err := audit.Open(b.t.Context(), b.js, quiet)
	if err != nil {
		b.t.Fatal(err)
	}
	return log
}

// running is a log that stores what it is given, until it is stopped.
func (b *bus) running() (*audit.Log, func()) {
	log := b.open()
	return log, run(b.t, log)
}

func run(t testing.TB, log *audit.Log) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = log.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func (b *bus) stream() jetstream.Stream {
	b.t.Helper()
	stream, err := b.js.Stream(b.t.Context(), "TRUNKLINE_AUDIT")
	if err != nil {
		b.t.Fatal(err)
	}
	return stream
}

// raw is all that the store holds, in its order.
func (b *bus) raw() []*jetstream.RawStreamMsg {
	b.t.Helper()
	stream := b.stream()
	info, err := stream.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for place := max(info.State.FirstSeq, 1); place <= info.State.LastSeq; place++ {
		m, err := stream.GetMsg(b.t.Context(), place)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(m.Data) > audit.MaxRecordBytes {
			b.t.Errorf("record %d has %d bytes", place, len(m.Data))
		}
		all = append(all, m)
	}
	return all
}

// records are all that the store holds, decoded.
func (b *bus) records() []*audit.Record {
	b.t.Helper()
	var all []*audit.Record
	for _, m := range b.raw() {
		var r audit.Record
		if err := json.Unmarshal(m.Data, &r); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, &r)
	}
	return all
}

// forge writes to the store beside the program.
func (b *bus) forge(subject, data string) {
	b.t.Helper()
	if _, err := b.js.Publish(b.t.Context(), subject, []byte(data)); err != nil {
		b.t.Fatal(err)
	}
}

// rewrite puts other records in the place of all that the store holds, as somebody with its disk could.
func (b *bus) rewrite(messages []*jetstream.RawStreamMsg) {
	b.t.Helper()
	info, err := b.stream().Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.js.DeleteStream(b.t.Context(), "TRUNKLINE_AUDIT"); err != nil {
		b.t.Fatal(err)
	}
	config := info.Config
	config.FirstSeq = messages[0].Sequence
	if _, err := b.js.CreateStream(b.t.Context(), config); err != nil {
		b.t.Fatal(err)
	}
	for _, m := range messages {
		b.forge(m.Subject, string(m.Data))
	}
}

// briefly names records by their kind and what they tell of.
func briefly(records []*audit.Record) []string {
	var all []string
	for _, r := range records {
		switch r.Kind {
		case audit.KindRewrite:
			all = append(all, fmt.Sprintf("%s>%s", r.Rewrite.Old.Short()[:2], r.Rewrite.New.Short()[:2]))
		case audit.KindSettings:
			all = append(all, fmt.Sprint(r.Settings))
		case audit.KindCommit:
			all = append(all, r.Commit.Short()[:2]+" "+r.Environment)
		default:
			all = append(all, string(r.Kind))
		}
	}
	return all
}

var epoch = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

var quiet = slog.New(slog.DiscardHandler)

func hash(n byte) gitsync.Hash { return gitsync.Hash{n} }

// decided is a commit's verdict in one environment.
func decided(n byte, env string) apply.Decision {
	return apply.Decision{
		Commit: gitsync.Commit{
			Hash: hash(n), Tree: hash(n), Subject: fmt.Sprint("commit ", n), Message: "more", Parents: []gitsync.Hash{hash(n - 1)},
			Author: gitsync.Person{Name: "Ada", Email: "ada@example.com", When: epoch},
		},
		Parent: hash(n - 1), Tree: hash(n + 100), Environment: env, Due: 2, Verdict: apply.Valid, Outcome: apply.Applied, Baseline: hash(n - 1),
		Problems: []compile.Problem{{Stage: compile.StageDecode, Severity: compile.Warning, Environments: []string{env}, Rule: "octal", Message: "m"}},
		Changes:  []apply.Change{{Path: "a.x", Old: "digest", New: "digest"}}, Checksum: "sum", RollbackOf: hash(n - 2), At: epoch.Add(time.Duration(n) * time.Second),
	}
}

func twice(n byte) []apply.Decision {
	return []apply.Decision{decided(n, "prod"), decided(n, "staging")}
}

func moved(from, to byte) *apply.Rewrite {
	return &apply.Rewrite{Rewrite: gitsync.Rewrite{Old: hash(from), New: hash(to), Lost: []gitsync.Hash{hash(from)}, LostTotal: 1}, At: epoch}
}

func record(t *testing.T, log *audit.Log, decisions []apply.Decision, rewrite *apply.Rewrite) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := log.Record(ctx, apply.Events{Decisions: decisions, Rewrite: rewrite}); err != nil {
		t.Fatal(err)
	}
}
