package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/trunkline/trunkline/value"
)

const keyBytes = 32

// digestKey reads the key of all digests, or makes one at the first start.
func digestKey(data string) (value.Key, error) {
	file := filepath.Join(data, "digest.key")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("digest key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("digest key: %s does not hold %d bytes in hexadecimal; restore it, or remove it and accept that older digests no longer compare", file, keyBytes)
	}
	return key, nil
}

// newKey writes a key so that it is there whole or not at all.
func newKey(file string) (value.Key, error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // it never fails
	tmp, err := os.CreateTemp(filepath.Dir(file), ".digest.key-*")
	if err != nil {
		return nil, fmt.Errorf("digest key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(hex.EncodeToString(key) + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), file)); err != nil {
		return nil, fmt.Errorf("digest key: %w", err)
	}
	return key, nil
}
