package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

const (
	manyRecords = 100_000
	recordBatch = 1000
)

// records measures an audit log of 100,000 records: what it takes to write one, to find some, to check all, and to keep them.
func (s *suite) records(ctx context.Context) error {
	bus, err := natsserver.NewServer(&natsserver.Options{
		ServerName: "bench", DontListen: true, NoSigs: true, NoLog: true, JetStream: true, SyncAlways: true,
		StoreDir: filepath.Join(s.dir, "records"),
	})
	if err != nil {
		return err
	}
	bus.Start()
	defer bus.WaitForShutdown()
	defer bus.Shutdown()
	if !bus.ReadyForConnections(10 * time.Second) {
		return errors.New("the bus is not ready")
	}
	conn, err := nats.Connect("", nats.InProcessServer(bus))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	log, err := audit.Open(ctx, js, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- log.Run(running) }()
	err = s.askRecords(ctx, log)
	stop()
	<-done // it ends because it was told to
	return err
}

func (s *suite) askRecords(ctx context.Context, log *audit.Log) error {
	before := heap()
	began := time.Now()
	for n := 0; n < manyRecords; n += recordBatch {
		if err := log.Record(ctx, apply.Events{Decisions: decisions(n)}); err != nil {
			return err
		}
	}
	each := time.Since(began).Seconds() * 1e6 / manyRecords
	s.add(row{what: "audit: a record, on disk", measured: each, limit: 1000, unit: "µs", note: fmt.Sprintf("%d given together", recordBatch)})
	s.add(row{what: "audit: memory of 100,000 records", measured: heap() - before, limit: 50, unit: "MB", note: "heap, the bus's own included"})
	began = time.Now()
	answer, err := log.Query(ctx, audit.Query{Author: "author42@", Oldest: true})
	if err != nil || len(answer.Entries) == 0 {
		return errors.Join(errors.New("a query finds nothing"), err)
	}
	s.add(row{what: "audit: query by author, 100,000 records", measured: time.Since(began).Seconds() * 1000, limit: 250, unit: "ms"})
	began = time.Now()
	if v, err := log.Verify(ctx); err != nil || v.Break != nil {
		return errors.Join(errors.New("the chain is broken"), err)
	}
	s.add(row{what: "audit: verify 100,000 records", measured: time.Since(began).Seconds(), limit: 2, unit: "s"})
	return nil
}

// heap is what is in use, in MB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// decisions are typical verdicts: three environments, a hundred authors, two changes.
func decisions(from int) []apply.Decision {
	list := make([]apply.Decision, recordBatch)
	for i := range list {
		n := from + i
		commit := n / 3
		list[i] = apply.Decision{
			Commit: gitsync.Commit{
				Hash:    gitsync.Hash{byte(commit >> 16), byte(commit >> 8), byte(commit), 1},
				Author:  gitsync.Person{Name: fmt.Sprintf("Author %d", commit%100), Email: fmt.Sprintf("author%d@example.com", commit%100)},
				Subject: "Change two values",
			},
			Environment: []string{"prod", "prodEu", "staging"}[n%3], Due: 3, Verdict: apply.Valid, Outcome: apply.Applied,
			At: time.Unix(1_700_000_000+60*int64(commit), 0),
			Changes: []apply.Change{
				{Path: fmt.Sprintf("service%d.timeout", commit%50), Old: "6fbc1a52d3c0e811", New: "8a0c1a52d3c0e8ff"},
				{Path: fmt.Sprintf("service%d.retries", commit%50), Old: "6fbc1a52d3c0e811", New: "8a0c1a52d3c0e8ff"},
			},
		}
	}
	return list
}
