package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/trunkline/trunkline/internal/atomicfile"
	"github.com/trunkline/trunkline/value"
)

const keyBytes = 32

// digestKey is the key of all digests and fingerprints: the one that is named, or one that the first start leaves in the data directory.
func (s *Settings) digestKey(log *slog.Logger) (value.Key, error) {
	if s.DigestKeyFile == "" {
		return ownKey(s.Data)
	}
	text, mode, err := readKey(s.DigestKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--digest-key-file: %w", err)
	}
	if mode.Perm()&0o027 != 0 { // a group of those who may is how containers are given files
		log.Warn("others on this machine may read the digest key, and with it try out which values records and redacted answers are of: chmod 600",
			"component", "server", "file", s.DigestKeyFile, "mode", fmt.Sprintf("%04o", mode.Perm()))
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("--digest-key-file %s: %w", s.DigestKeyFile, err)
	}
	return key, nil
}

func readKey(file string) (text string, mode fs.FileMode, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyBytes+1))
	if err == nil && len(data) > maxKeyBytes {
		err = fmt.Errorf("%s has more than %d bytes", file, maxKeyBytes)
	}
	return strings.TrimSpace(string(data)), info.Mode(), err
}

// parseKey reads hexadecimal digits, or else base64, or else the text itself: the first of these that gives enough bytes.
func parseKey(text string) (value.Key, error) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(text); err == nil && len(key) >= keyBytes {
			return key, nil
		}
	}
	if len(text) < keyBytes {
		return nil, fmt.Errorf("it holds fewer than %d bytes, whether as hexadecimal digits, as base64 or as text; make one with: openssl rand -hex 32", keyBytes)
	}
	return value.Key(text), nil
}

// keyName tells keys apart, and nothing else of them.
func keyName(key value.Key) string {
	sum := sha256.Sum256(append([]byte("the name of a digest key of trunkline\n"), key...))
	return "sha256:" + hex.EncodeToString(sum[:8])
}

// compareKey says that the key is not that of the last start.
func (s *Server) compareKey(key value.Key, last map[string]string) {
	if was := last["digestKey"]; was != "" && was != keyName(key) {
		s.log.Warn("the digest key is another one than before: fingerprints in older records do not compare with those of today",
			"component", "server", "was", was, "is", keyName(key))
	}
}

// ownKey reads the key in the data directory, or makes one at the first start.
func ownKey(data string) (value.Key, error) {
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

func newKey(file string) (value.Key, error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // it never fails
	if err := atomicfile.Write(file, []byte(hex.EncodeToString(key)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("digest key: %w", err)
	}
	return key, nil
}
