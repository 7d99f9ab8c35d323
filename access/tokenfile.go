package access

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
)

// tokenRecord is one token in the file.
type tokenRecord struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	SHA256   string    `json:"sha256"` // of the whole token, in hexadecimal
	Grant    Grant     `json:"grant"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"lastUsed,omitzero"`
}

type tokenForm struct {
	Version int           `json:"version"`
	Tokens  []tokenRecord `json:"tokens"`
}

const tokenVersion = 1

var (
	tokenID    = regexp.MustCompile(fmt.Sprintf("^[0-9A-Za-z]{%d}$", idLength))
	tokenName  = regexp.MustCompile(fmt.Sprintf("^[0-9A-Za-z][0-9A-Za-z._@:/+-]{0,%d}$", maxTokenName-1))
	errPrivate = errors.New("others than its owner may read it: chmod 600")
)

// readTokens reads the file. One that is not there holds no tokens; one that cannot be taken whole is an error.
func readTokens(file string) ([]tokenRecord, os.FileInfo, error) {
	data, info, err := readFile(file, maxTokenFile, func(info os.FileInfo) error {
		if !private(info) {
			return errPrivate
		}
		return nil
	})
	if err != nil || info == nil {
		return nil, nil, wrapFile(file, err)
	}
	records, err := parseTokens(data)
	return records, info, wrapFile(file, err)
}

func wrapFile(file string, err error) error {
	if err == nil {
		return nil
	}
	var path *os.PathError
	if errors.As(err, &path) { // it names the file itself
		return fmt.Errorf("tokens: %w", err)
	}
	return fmt.Errorf("tokens: %s: %w", file, err)
}

func parseTokens(data []byte) ([]tokenRecord, error) {
	var form tokenForm
	if err := readForm(data, &form); err != nil {
		return nil, err
	}
	if form.Version != tokenVersion {
		return nil, fmt.Errorf("its version is %d, not %d: it was written by another release", form.Version, tokenVersion)
	}
	if len(form.Tokens) > MaxTokens {
		return nil, fmt.Errorf("it holds %d tokens; %d are the most", len(form.Tokens), MaxTokens)
	}
	seen := make(map[string]bool, len(form.Tokens))
	for n, r := range form.Tokens {
		if err := r.check(); err != nil {
			return nil, &formError{fmt.Sprintf("/tokens/%d", n), err}
		}
		if seen[r.ID] {
			return nil, &formError{fmt.Sprintf("/tokens/%d/id", n), errors.New("an earlier token has the same")}
		}
		seen[r.ID] = true
	}
	return form.Tokens, nil
}

func (r *tokenRecord) check() error {
	if !tokenID.MatchString(r.ID) {
		return fmt.Errorf("its id is not %d letters and digits", idLength)
	}
	if err := checkTokenName(r.Name); err != nil {
		return err
	}
	if _, err := r.digest(); err != nil {
		return err
	}
	if r.Grant.Key() == "" {
		return errors.New("it has no grant")
	}
	if r.Created.IsZero() {
		return errors.New("it has no created")
	}
	return nil
}

func checkTokenName(name string) error {
	if !tokenName.MatchString(name) {
		return fmt.Errorf("a token's name is 1 to %d of letters, digits and . _ @ : / + -, beginning with a letter or digit", maxTokenName)
	}
	return nil
}

func (r *tokenRecord) digest() (d digest, err error) {
	raw, err := hex.DecodeString(r.SHA256)
	if err != nil || len(raw) != len(d) {
		return d, fmt.Errorf("its sha256 is not %d hexadecimal digits", 2*len(d))
	}
	return digest(raw), nil
}

// same tells whether two records are of the same credential with the same meaning.
func (r *tokenRecord) same(o *tokenRecord) bool {
	return r.SHA256 == o.SHA256 && r.Name == o.Name && r.Grant.Key() == o.Grant.Key() && r.Expires.Equal(o.Expires)
}

func writeTokens(file string, records []tokenRecord) (os.FileInfo, error) {
	data, err := json.MarshalIndent(tokenForm{tokenVersion, records}, "", "  ")
	if err != nil {
		panic(err) // the types above can always be written
	}
	info, err := writeFile(file, append(data, '\n'))
	return info, wrapFile(file, err)
}
