package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// certEvery is how often the files of a certificate are looked at, at most.
const certEvery = time.Second

// secure serves TLS on a listener, where a certificate is named.
func (s *Settings) secure(l net.Listener, log *slog.Logger) (net.Listener, error) {
	if s.TLSCertFile == "" {
		return l, nil
	}
	c := &certificate{certFile: s.TLSCertFile, keyFile: s.TLSKeyFile, log: log}
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// certificate is that of two files. It is read again when they change; while they cannot be read, the one before stays.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	looked  time.Time
	stamp   [2]fileStamp
	told    string // why the files could not be read when they were looked at last
}

// fileStamp tells whether a file is still the same.
type fileStamp struct {
	size    int64
	changed time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && time.Since(c.looked) < certEvery {
		return c.current, nil
	}
	c.looked = time.Now()
	stamp, err := c.stamps()
	if err == nil && c.current != nil && stamp == c.stamp {
		return c.current, nil
	}
	var read tls.Certificate
	if err == nil {
		read, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	switch {
	case err == nil:
		c.current, c.stamp, c.told = &read, stamp, ""
	case c.current == nil:
		return nil, fmt.Errorf("certificate: %w", err)
	case c.told != err.Error():
		c.told = err.Error()
		c.log.Warn("the certificate was changed and cannot be read; the one before stays until it can", "component", "server", "err", err)
	}
	return c.current, nil
}

func (c *certificate) stamps() (stamp [2]fileStamp, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return stamp, err
		}
		stamp[i] = fileStamp{info.Size(), info.ModTime()}
	}
	return stamp, nil
}
