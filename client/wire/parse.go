package wire

import (
	"errors"
	"fmt"
	"slices"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrMessage is wrapped by the error of every message that breaks the protocol.
var ErrMessage = errors.New("not a message of " + Subprotocol)

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMessage}, args...)...)
}

// ParseClient reads and judges a client's message.
func ParseClient(data []byte) (*Client, error) {
	if len(data) > MaxClientMessage {
		return nil, bad("%d bytes are more than %d", len(data), MaxClientMessage)
	}
	var m Client
	if err := strict.Unmarshal(data, &m); err != nil {
		return nil, bad("%s", plain(err))
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
	switch {
	case !slices.Contains([]string{TypeHello, TypeUpdate, TypeAck, TypeNack}, m.Type):
		return bad("its type must be hello, update, ack or nack")
	case len(m.Patterns) > MaxPatterns:
		return bad("%d patterns are more than %d", len(m.Patterns), MaxPatterns)
	case slices.Contains(m.Patterns, ""):
		return bad("a pattern is empty")
	case max(len(m.Client.Name), len(m.Client.Version)) > MaxNameLength:
		return bad("the client's name or version is longer than %d bytes", MaxNameLength)
	case len(m.Env) > MaxNameLength:
		return bad("the environment's name is longer than %d bytes", MaxNameLength)
	case len(m.Cursor) > MaxCursorLength:
		return bad("the cursor is longer than %d bytes", MaxCursorLength)
	case m.Cursor == "" && (m.Type == TypeAck || m.Type == TypeNack):
		return bad("it names no cursor")
	case m.Evaluate != "" && m.Evaluate != EvaluateLocal:
		return bad("evaluate must be local, or be left out")
	case len(m.Reason) > MaxReasonLength:
		return bad("the reason is longer than %d bytes", MaxReasonLength)
	case len(m.Context) > 0 && m.Context.Kind() != '{' && m.Context.Kind() != 'n':
		return bad("the context is not an object")
	case len(m.Context) > MaxContext:
		return bad("the context is longer than %d bytes", MaxContext)
	}
	return nil
}

// ParseServer reads a server's message.
func ParseServer(data []byte) (*Server, error) {
	var m Server
	if err := strict.Unmarshal(data, &m); err != nil {
		return nil, bad("%s", plain(err))
	}
	switch {
	case m.Type == "":
		return nil, bad("it has no type")
	case m.Chunks < 0 || m.Chunks > MaxChunks:
		return nil, bad("a snapshot in %d chunks: %d are the most", m.Chunks, MaxChunks)
	case m.Index < 0 || m.Index >= MaxChunks:
		return nil, bad("a chunk has the number %d: the highest is %d", m.Index, MaxChunks-1)
	}
	return &m, nil
}
