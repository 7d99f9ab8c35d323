package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Head names the newest record of the log, and with it all that the log holds: each record holds the SHA-256 of the one before. A
// head that was published where nobody can change it shows later whether what came before is still what it was.
type Head struct {
	Sequence uint64    `json:"sequence"` // 0 while the log is empty
	SHA256   string    `json:"sha256"`   // of the record's bytes, in hexadecimal
	At       time.Time `json:"at"`       // when it was stored
}

// Head is the newest record that is stored.
func (l *Log) Head(ctx context.Context) (Head, error) {
	head, err := l.readHead(ctx)
	if err != nil {
		return Head{}, fmt.Errorf("read the head of the audit log: %w", err)
	}
	return head, nil
}

// readHead reads the newest record. Where the store has lost it, the sequence is still its, and the rest is of the newest one that
// is left: what follows cannot be stored in the lost one's place, and the gap is told by Verify.
func (l *Log) readHead(ctx context.Context) (Head, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return Head{}, err
	}
	head := Head{Sequence: info.State.LastSeq}
	for place := head.Sequence; place >= info.State.FirstSeq && info.State.Msgs > 0; place-- {
		m, err := l.stream.GetMsg(ctx, place)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return Head{}, err
		}
		head.SHA256, head.At = digest(m.Data), m.Time
		break
	}
	return head, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// A stored record begins with the hash of the one before it, so that it is read without decoding the rest.
const prevKey = `{"prev":"`

// chained are the bytes of a record that is stored after one of the given hash.
func chained(data []byte, prev string) []byte {
	return slices.Concat([]byte(prevKey), []byte(prev), []byte(`",`), data[1:])
}

// maxPrev is how much chaining adds to a record.
const maxPrev = len(prevKey) + 2*sha256.Size + len(`",`)

// previous is the hash that a stored record begins with. ok is false for a record that is not chained.
func previous(data []byte) (hash string, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(prevKey))
	if !ok {
		return "", false
	}
	end := bytes.IndexByte(rest, '"')
	if end != 0 && end != 2*sha256.Size {
		return "", false
	}
	return string(rest[:end]), true
}
