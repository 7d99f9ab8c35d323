// Package wire defines the messages of the stream: text frames of JSON, one message each, over a WebSocket of the subprotocol
// [Subprotocol]. docs/protocol.md describes them for people.
//
// [ParseClient] reads what a client sends and [ParseServer] what a server sends; both take strangers' bytes. Fields that are not
// known are passed over, so that either side may be the newer one.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Subprotocol is the WebSocket subprotocol both sides name.
const Subprotocol = "trunkline.v1.json"

// Limits of what a client may send.
const (
	MaxClientMessage = 64 << 10 // bytes
	MaxPatterns      = 100
	MaxNameLength    = 128  // of the client's name and version, in bytes
	MaxReasonLength  = 1024 // of a nack, in bytes
	MaxCursorLength  = 128
)

// Close codes. A client that meets one from 4000 to 4099 connects again, after a while; from 4400 on it does not, because the
// same hello would meet the same answer.
const (
	CloseRestart    = 4000 // the server stops or restarts
	CloseCredential = 4001 // the credential has ended, or grants something else now
	CloseNotReady   = 4002 // the server serves nothing yet
	CloseSilent     = 4003 // the client answered no ping
	CloseTooMany    = 4029 // too many different views

	CloseBadMessage         = 4400
	CloseUnknownEnvironment = 4404
	CloseNoHello            = 4408 // no hello came in time
)

// Terminal tells whether a close code means that connecting again is of no use.
func Terminal(code int) bool { return code >= 4400 && code < 4500 }

// The types of messages.
const (
	TypeHello    = "hello"
	TypeAck      = "ack"
	TypeNack     = "nack"
	TypeSnapshot = "snapshot"
	TypeCurrent  = "current"
	TypeDelta    = "delta"
	TypePing     = "ping"
	TypeGoaway   = "goaway"
	TypeError    = "error"
)

// Client is a message from a client. Which fields count depends on its type.
type Client struct {
	Type string `json:"type"`

	// Of a hello.
	Client   Name           `json:"client,omitzero"`
	Env      string         `json:"env,omitempty"`
	Patterns []string       `json:"patterns,omitempty"` // none: everything
	Context  jsontext.Value `json:"context,omitempty"`  // an object; kept for what depends on who asks

	// Of a hello: the state the client still has, if any. Of an ack or a nack: the state it speaks of.
	Cursor string `json:"cursor,omitempty"`
	// Of a nack: why the client could not use the values.
	Reason string `json:"reason,omitempty"`
}

// Name is what a client calls itself.
type Name struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Server is a message from a server. Which fields count depends on its type.
type Server struct {
	Type   string `json:"type"`
	Cursor string `json:"cursor,omitempty"` // of snapshot, current and ping: the state they speak of
	Commit string `json:"commit,omitempty"`

	// Of a snapshot.
	Reason string          `json:"reason,omitempty"` // hello, unknownCursor
	Values json.RawMessage `json:"values,omitempty"`

	// Of a delta.
	From  string          `json:"from,omitempty"`
	To    string          `json:"to,omitempty"`
	Cause string          `json:"cause,omitempty"` // commit, rollback, rewrite, pin, unpin, start
	Patch json.RawMessage `json:"patch,omitempty"` // RFC 6902: add, replace, remove

	// Of snapshot, current and delta, for those who may see history.
	Author     string `json:"author,omitempty"`
	Subject    string `json:"subject,omitempty"`
	RollbackOf string `json:"rollbackOf,omitempty"`

	// Of a goaway: how many milliseconds to wait before connecting again.
	RetryAfterMs int `json:"retryAfterMs,omitempty"`

	// Of an error.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// Reasons of a snapshot.
const (
	ReasonHello         = "hello"         // the client named no cursor
	ReasonUnknownCursor = "unknownCursor" // the server does not know the state the client named
)

// ErrMessage is wrapped by the error of every message that breaks the protocol.
var ErrMessage = errors.New("not a message of " + Subprotocol)

// ParseClient reads and judges a client's message.
func ParseClient(data []byte) (*Client, error) {
	if len(data) > MaxClientMessage {
		return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrMessage, len(data), MaxClientMessage)
	}
	var m Client
	if err := strict.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrMessage, plain(err))
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}

// plain takes from a decoder's error what helps, and no more than that of a stranger's bytes.
func plain(err error) string {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return "a name occurs twice in one object"
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return fmt.Sprintf("the JSON cannot be read at byte %d", syntactic.ByteOffset)
	}
	var semantic *strict.SemanticError
	if errors.As(err, &semantic) {
		pointer := string(semantic.JSONPointer)
		return fmt.Sprintf("at %q: a %s does not belong there", pointer[:min(len(pointer), 64)], semantic.JSONKind)
	}
	return "it cannot be read"
}

func (m *Client) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrMessage}, args...)...)
	}
	switch {
	case m.Type != TypeHello && m.Type != TypeAck && m.Type != TypeNack:
		return bad("its type must be hello, ack or nack")
	case len(m.Patterns) > MaxPatterns:
		return bad("%d patterns are more than %d", len(m.Patterns), MaxPatterns)
	case len(m.Client.Name) > MaxNameLength || len(m.Client.Version) > MaxNameLength:
		return bad("the client's name or version is longer than %d bytes", MaxNameLength)
	case len(m.Cursor) > MaxCursorLength:
		return bad("the cursor is longer than %d bytes", MaxCursorLength)
	case len(m.Reason) > MaxReasonLength:
		return bad("the reason is longer than %d bytes", MaxReasonLength)
	case len(m.Context) > 0 && m.Context.Kind() != '{' && m.Context.Kind() != 'n':
		return bad("the context is not an object")
	}
	return nil
}

// ParseServer reads a server's message.
func ParseServer(data []byte) (*Server, error) {
	var m Server
	if err := strict.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrMessage, plain(err))
	}
	if m.Type == "" {
		return nil, fmt.Errorf("%w: it has no type", ErrMessage)
	}
	return &m, nil
}

// Encode writes a message.
func Encode(m any) []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // the types above can always be written
	}
	return data
}
