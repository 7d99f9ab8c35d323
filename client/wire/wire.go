// Package wire defines the messages of the stream: text frames of JSON, one message each, over a WebSocket of the subprotocol
// [Subprotocol]. docs/protocol.md describes them for people.
//
// [ParseClient] reads what a client sends and [ParseServer] what a server sends; both take strangers' bytes. Fields that are not
// known are passed over, so that either side may be the newer one.
package wire

import (
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// Subprotocol is the WebSocket subprotocol both sides name.
const Subprotocol = "trunkline.v1.json"

// Close codes. A client that meets one from 4000 to 4099 connects again, after a while; from 4400 on it does not, because the
// same hello would meet the same answer.
const (
	CloseRestart    = 4000 // the server stops or restarts
	CloseCredential = 4001 // the credential has ended, or grants something else now
	CloseNotReady   = 4002 // the server serves nothing yet
	CloseSilent     = 4003 // the client answered no ping, or did not finish a message
	CloseTooMany    = 4029 // too many different views
	CloseFlood      = 4030 // the client sends too much

	CloseBadMessage         = 4400
	CloseForbidden          = 4403 // the credential lacks a right for it
	CloseUnknownEnvironment = 4404
	CloseNoHello            = 4408 // no hello came in time
)

// Terminal tells whether a close code means that connecting again is of no use.
func Terminal(code int) bool { return code >= 4400 && code < 4500 }

// The types of messages.
const (
	TypeHello  = "hello"
	TypeUpdate = "update"
	TypeAck    = "ack"
	TypeNack   = "nack"

	TypeSnapshot = "snapshot"
	TypeChunk    = "chunk"
	TypeCurrent  = "current"
	TypeDelta    = "delta"
	TypePing     = "ping"
	TypeGoaway   = "goaway"
	TypeError    = "error"

	TypeAssignments = "assignments"
	TypeDefinitions = "definitions"
)

// EvaluateLocal asks for definitions in the place of decisions.
const EvaluateLocal = "local"

// Client is a message from a client. Which fields count depends on its type.
type Client struct {
	Type string `json:"type"`

	// Of a hello.
	Client Name   `json:"client,omitzero"`
	Env    string `json:"env,omitempty"`

	// Of a hello: local, where the client decides by itself who gets what. Then values come as they are configured, and before them the
	// definitions of what may be laid over them.
	Evaluate string `json:"evaluate,omitempty"`

	// Of a hello or an update. In a hello what is missing is everything, and nobody in particular; in an update it stays as it is. An
	// empty list of patterns asks for everything in both.
	Patterns []string       `json:"patterns,omitzero"`
	Context  jsontext.Value `json:"context,omitempty"` // an object: who asks, for values that depend on it

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
	Cursor string `json:"cursor,omitempty"` // the state it speaks of; of a delta see From and To
	Commit string `json:"commit,omitempty"`

	// Of a snapshot. Either its values are here, or they follow in so many chunks.
	Reason string          `json:"reason,omitempty"`
	Values json.RawMessage `json:"values,omitempty"`
	Chunks int             `json:"chunks,omitempty"` // of definitions, too

	// Of a chunk: its number, from 0, and its part of the JSON text of the values, or of the definitions. Chunks come in order.
	Index int    `json:"index,omitempty"`
	Data  string `json:"data,omitempty"`

	// Of a delta.
	From  string          `json:"from,omitempty"`
	To    string          `json:"to,omitempty"`
	Cause string          `json:"cause,omitempty"` // commit, rollback, rewrite, pin, unpin, start, ramp, stop, resume, context
	Patch json.RawMessage `json:"patch,omitempty"` // RFC 6902: add, replace, remove

	// Of snapshot, current and delta, for those who may see history.
	Author     string `json:"author,omitempty"`
	Subject    string `json:"subject,omitempty"`
	RollbackOf string `json:"rollbackOf,omitempty"`
	// Lineage is what the commit takes back, for those who may see history.
	Lineage *Lineage `json:"lineage,omitempty"`

	// Of assignments: all variants of experiments that the client has, in the place of those it was told before. Never nil in one.
	Assignments []Assignment `json:"assignments,omitzero"`

	// Of definitions, which count from the state of their cursor on: an object that package experiment reads. Here, or in so many chunks.
	Definitions json.RawMessage `json:"definitions,omitempty"`

	// Of a goaway: how many milliseconds to wait before connecting again.
	RetryAfterMs int `json:"retryAfterMs,omitempty"`

	// Of an error.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// Lineage tells what a commit takes back, all of it by the names of commits.
type Lineage struct {
	Kind      string `json:"kind"`                // rollback, revert, partialRevert, claimedRevert
	Version   string `json:"version,omitempty"`   // whose content a rollback restores
	First     string `json:"first,omitempty"`     // the oldest commit that is taken back
	Last      string `json:"last,omitempty"`      // the newest
	Confirmed bool   `json:"confirmed,omitempty"` // the content bears out what the commit's message says
}

// Assignment is a variant of an experiment that the client has.
type Assignment struct {
	Experiment string `json:"experiment"`
	Variant    string `json:"variant"`
	Phase      int    `json:"phase"`
	Layer      string `json:"layer"`
	Forced     bool   `json:"forced,omitempty"` // left out of the analysis
}

// Reasons of a snapshot.
const (
	ReasonHello         = "hello"         // the client named no cursor
	ReasonUnknownCursor = "unknownCursor" // the cursor is of another view: other patterns, environment or grant; or of no server of ours
	ReasonStaleCursor   = "staleCursor"   // the cursor is of this view, and the server no longer has its state
	ReasonUpdate        = "update"        // the client asked for something else
	ReasonLargeChange   = "largeChange"   // the patch would be larger than one message may be
)

// Encode writes a message.
func Encode(m any) []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // the types above can always be written
	}
	return data
}
