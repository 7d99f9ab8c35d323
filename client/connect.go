package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// connection is one WebSocket. What it receives comes through inbox; an error comes last.
type connection struct {
	ws      *websocket.Conn
	silence time.Duration // after which it counts as dead
	most    int           // bytes of a message
	broken  atomic.Bool   // nothing can be sent: what there is to read is read, and no more is waited for
	inbox   chan received
	done    chan struct{} // closed when nobody takes from inbox any more
}

type received struct {
	message *wire.Server
	err     error
}

// connect opens a connection and reads from it.
func (r *run) connect(ctx context.Context) (*connection, error) {
	header, err := r.credential()
	if err != nil {
		return nil, err
	}
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialTime, Subprotocols: []string{wire.Subprotocol}, ReadBufferSize: 4096,
		EnableCompression: true, TLSClientConfig: r.o.TLS,
	}
	ws, answer, err := dialer.DialContext(ctx, r.url, header)
	if err != nil {
		return nil, r.dialError(err, answer)
	}
	most := r.bounds.bytes + envelope
	ws.SetReadLimit(int64(most))
	ws.EnableWriteCompression(false) // what we say is short
	conn := &connection{ws: ws, silence: r.times.silence, most: most, inbox: make(chan received), done: make(chan struct{})}
	go conn.read()
	return conn, nil
}

// read takes messages in until the connection ends.
func (c *connection) read() {
	defer close(c.inbox)
	for {
		m, err := c.next()
		select {
		case c.inbox <- received{m, err}:
		case <-c.done:
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *connection) next() (*wire.Server, error) {
	_ = c.ws.SetReadDeadline(time.Now().Add(c.silence))
	if c.broken.Load() {
		_ = c.ws.SetReadDeadline(time.Now().Add(closeTime))
	}
	_, r, err := c.ws.NextReader()
	if err != nil {
		return nil, err
	}
	// The limit of the WebSocket counts what travels, of which a little may be inflated to very much.
	data, err := io.ReadAll(io.LimitReader(r, int64(c.most)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > c.most {
		return nil, fmt.Errorf("a message of the server is larger than %d bytes", c.most)
	}
	return wire.ParseServer(data)
}

// send sends a message. That it cannot be sent is told by the reader: what the server has said before may be the reason.
func (c *connection) send(m wire.Client) {
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeTime))
	if c.ws.WriteMessage(websocket.TextMessage, wire.Encode(m)) != nil {
		c.broken.Store(true)
		_ = c.ws.SetReadDeadline(time.Now().Add(closeTime))
	}
}

// close ends the connection and waits for its reader. The server is told, if it takes that at once.
func (c *connection) close() {
	close(c.done)
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	_ = c.ws.Close()
	for range c.inbox {
	}
}

func (c *Client) credential() (http.Header, error) {
	if c.o.Token == nil {
		return nil, nil
	}
	token, err := c.o.Token()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return http.Header{"Authorization": {"Bearer " + token}}, nil
}

// restarting is the error of a server that asks to come back after a while.
type restarting struct {
	after time.Duration
	why   string
}

func (r *restarting) Error() string { return r.why }

// dialError tells why there is no connection. A token that was good may be replaced by its next: then connecting again is of use.
func (r *run) dialError(err error, answer *http.Response) error {
	if answer == nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer answer.Body.Close()
	why := explanation(answer)
	switch answer.StatusCode {
	case http.StatusUnauthorized:
		if r.o.Token != nil && r.known {
			return errors.New("connect: " + why)
		}
		fallthrough
	case http.StatusForbidden, http.StatusMisdirectedRequest:
		return fmt.Errorf("%w: %s", ErrRefused, why)
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		after := time.Duration(min(seconds, int(mostAsked.Seconds()))) * time.Second
		return &restarting{after + rand.N(after), "connect: " + why} // all others are told the same
	}
	return errors.New("connect: " + why)
}

// explanation is what the server says of its refusal.
func explanation(answer *http.Response) string {
	var body struct {
		Error struct{ Message, Hint string }
	}
	data, _ := io.ReadAll(io.LimitReader(answer.Body, maxExplanation))
	if json.Unmarshal(data, &body) != nil || body.Error.Message == "" {
		return "the server answers " + answer.Status
	}
	return strings.TrimSuffix(body.Error.Message+"; "+body.Error.Hint, "; ")
}

func closeError(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) && wire.Terminal(closed.Code) {
		return refusedFor(closed.Text, "")
	}
	return err
}

func refusedFor(message, hint string) error {
	return fmt.Errorf("%w: %s", ErrRefused, strings.TrimSuffix(message+"; "+hint, "; "))
}
