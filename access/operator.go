package access

import (
	"fmt"
	"path/filepath"
)

// OperatorFile is the file of the operator's token in the data directory.
const OperatorFile = "operator.token"

// Operator is the credential of the command on the server's own machine. It grants everything, and is good on connections from a
// loopback address that no proxy made.
type Operator struct {
	digest   digest
	identity *Identity
}

// NewOperator writes a fresh token to [OperatorFile] in dir, which must exist, readable by the file's owner alone. The one before, of an
// earlier start, is good no longer.
func NewOperator(dir string) (*Operator, error) {
	text, id, d := newToken()
	if _, err := writeFile(filepath.Join(dir, OperatorFile), []byte(text+"\n")); err != nil {
		return nil, fmt.Errorf("the operator's token: %w", err)
	}
	return &Operator{d, &Identity{Name: "operator", Kind: KindOperator, ID: id, Grant: Whole(AllRights)}}, nil
}

// identify tells whether the operator has a token, which must be well formed.
func (o *Operator) identify(text string) bool {
	if idOf(text) != o.identity.ID { // which is no secret
		return false
	}
	d := tokenDigest(text)
	return o.digest.is(&d)
}
