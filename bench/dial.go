package main

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"syscall"

	"github.com/gorilla/websocket"
)

// dial connects from one of several addresses of this machine, because each has its own ports.
func dial(i int, addr string, control net.Dialer) (*net.TCPConn, error) {
	if runtime.GOOS == "linux" { // elsewhere loopback has one address
		control.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%swarmAddresses))}
	}
	control.Timeout = swarmPatience
	c, err := control.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil //nolint:forcetypeassert // it was dialled as one
}

// dialRaw makes a connection that is sent bytes without a session.
func (s *swarm) dialRaw(i int, o order) (*member, error) {
	m := &member{swarm: s, number: i}
	var err error
	if m.tcp, err = dial(i, o.Addr, net.Dialer{}); err != nil {
		return m, err
	}
	return m, m.listen(m.tcp)
}

// open connects, and says hello.
func (m *member) open(o order) error {
	var control net.Dialer
	if m.deaf {
		control.Control = smallWindow
	}
	var err error
	if m.tcp, err = dial(m.number, o.Addr, control); err != nil {
		return err
	}
	conn := net.Conn(m.tcp)
	if o.Secure {
		conn = tls.Client(m.tcp, trusting)
	}
	dialer := websocket.Dialer{
		Subprotocols: []string{"trunkline.v1.json"}, ReadBufferSize: 512, WriteBufferSize: 512,
		NetDial: func(string, string) (net.Conn, error) { return conn, nil }, // over TLS, too
	}
	ws, answer, err := dialer.Dial("ws://"+o.Addr+"/v1/stream", nil)
	if err != nil {
		return refusedBy(answer, err)
	}
	_ = answer.Body.Close()
	m.conn = ws.NetConn()
	hello, err := m.hello(o)
	if err == nil && !m.deaf {
		err = m.listen(m.conn)
	}
	if err != nil {
		return err
	}
	return m.say(hello)
}

// hello is what the client says first.
func (m *member) hello(o order) ([]byte, error) {
	hello := map[string]any{"type": "hello", "client": map[string]string{"name": "bench"}}
	if m.patterns != nil {
		hello["patterns"] = m.patterns
	}
	if o.Context {
		hello["context"] = map[string]any{"targetingKey": fmt.Sprintf("unit-%d", m.number), "country": "DE"}
	}
	if m.cursor.n > 0 {
		hello["cursor"] = string(m.cursor.text[:m.cursor.n])
	}
	return json.Marshal(hello)
}

func refusedBy(answer *http.Response, err error) error {
	if answer == nil {
		return err
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
	return fmt.Errorf("%w: %s: %s", err, answer.Status, body)
}

// say writes a message, masked by zeros: masks are against proxies between, and there are none.
func (m *member) say(text []byte) error {
	var space [512]byte
	b := append(space[:0], 0x81)
	if len(text) < 126 {
		b = append(b, 0x80|byte(len(text)))
	} else {
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	}
	b = append(b, 0, 0, 0, 0)
	_, err := m.conn.Write(append(b, text...))
	return err
}

// smallWindow has the system take in little for a client that never reads.
func smallWindow(_, _ string, c syscall.RawConn) error {
	var err error
	outer := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
	return errors.Join(outer, err)
}
