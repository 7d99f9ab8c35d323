package server

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	busReady    = 10 * time.Second
	busMaxStore = 20 << 30 // bytes on disk, of all that the bus keeps
	busMaxMem   = 64 << 20
)

// bus is the embedded message server, which listens on no port. What it acknowledges is on disk.
type bus struct {
	server *natsserver.Server
	conn   *nats.Conn
	js     jetstream.JetStream
}

func openBus(data string, log *slog.Logger) (*bus, error) {
	server, err := natsserver.NewServer(&natsserver.Options{
		ServerName: "trunkline", DontListen: true, NoSigs: true, NoLog: true, JetStream: true,
		StoreDir: filepath.Join(data, "bus"), SyncAlways: true, JetStreamMaxStore: busMaxStore, JetStreamMaxMemory: busMaxMem,
	})
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	server.SetLoggerV2(busLog{log.With("component", "bus")}, false, false, false)
	server.Start()
	b := &bus{server: server}
	if !server.ReadyForConnections(busReady) {
		b.close()
		return nil, fmt.Errorf("bus: not ready within %s; is %s writable and intact?", busReady, filepath.Join(data, "bus"))
	}
	if b.conn, err = nats.Connect("", nats.InProcessServer(server), nats.MaxReconnects(-1)); err == nil {
		b.js, err = jetstream.New(b.conn)
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("bus: %w", err)
	}
	if !server.JetStreamEnabled() {
		b.close()
		return nil, errors.New("bus: its store cannot be used")
	}
	return b, nil
}

func (b *bus) close() {
	if b.conn != nil {
		b.conn.Close()
	}
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

// busLog passes on what of the bus's own log matters here.
type busLog struct{ log *slog.Logger }

func (l busLog) Noticef(string, ...any)         {}
func (l busLog) Debugf(string, ...any)          {}
func (l busLog) Tracef(string, ...any)          {}
func (l busLog) Warnf(format string, v ...any)  { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l busLog) Errorf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
func (l busLog) Fatalf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
