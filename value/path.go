package value

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Path addresses a value below a root, one segment a level: the key of a map, or the decimal index of a list.
//
// Written out it is segments joined by dots, `database.primary.pool`; a list's item is `servers[0]`; a key of other characters
// than letters, digits, underscore and hyphen is quoted as a JSON string, `hosts["a.b"]`. A leading slash makes it a JSON
// Pointer (RFC 6901), `/hosts/a.b`. The empty path is the root.
type Path []string

// ErrPath is the error of every path and pattern that cannot be parsed.
var ErrPath = errors.New("not a path")

// ParsePath reads a path in either form.
func ParsePath(s string) (Path, error) {
	var path Path
	rest := s
	for first := true; rest != ""; first = false {
		seg, after, err := nextSegment(s, rest, first, false)
		if err != nil {
			return nil, err
		}
		path, rest = append(path, seg.key), after
	}
	return path, nil
}

// Lookup finds the value at a path without parsing it into a [Path] first, so that a read in process allocates nothing. It is
// not found when the path cannot be parsed.
func (v *Value) Lookup(s string) (*Value, bool) {
	rest := s
	for first := true; rest != ""; first = false {
		seg, after, err := nextSegment(s, rest, first, false)
		if err != nil {
			return nil, false
		}
		next, ok := v.Step(seg.key)
		if !ok {
			return nil, false
		}
		v, rest = next, after
	}
	return v, true
}

// segment is one step of a written path. A quoted one is never a wildcard.
type segment struct {
	key    string
	quoted bool
}

// nextSegment takes the next segment from rest, which is what is left of whole. Only a pattern's may hold wildcards.
func nextSegment(whole, rest string, first, wildcards bool) (seg segment, after string, err error) {
	if first && len(whole) > MaxPathBytes {
		return segment{}, "", fmt.Errorf("%w: longer than %d bytes", ErrPath, MaxPathBytes)
	}
	if whole[0] == '/' {
		return pointerSegment(whole, rest)
	}
	if rest[0] == '[' {
		return bracketSegment(whole, rest)
	}
	if !first {
		if rest[0] != '.' {
			return segment{}, "", pathError(whole, rest, "a dot or a bracket must stand here")
		}
		rest = rest[1:]
	}
	n := 0
	for n < len(rest) && rest[n] != '.' && rest[n] != '[' {
		if !bare(rest[n]) && !(wildcards && rest[n] == '*') {
			return segment{}, "", pathError(whole, rest[n:], `a key with other characters than A-Z a-z 0-9 _ - is written ["…"]`)
		}
		n++
	}
	if n == 0 {
		return segment{}, "", pathError(whole, rest, "a segment is empty")
	}
	return segment{key: rest[:n]}, rest[n:], nil
}

func pointerSegment(whole, rest string) (segment, string, error) {
	key, after := rest[1:], ""
	if i := strings.IndexByte(key, '/'); i >= 0 {
		key, after = key[:i], key[i:]
	}
	if strings.IndexByte(key, '~') < 0 {
		return segment{key: key, quoted: true}, after, nil
	}
	for i := 0; i < len(key); i++ {
		if key[i] == '~' && (i+1 == len(key) || key[i+1] != '0' && key[i+1] != '1') {
			return segment{}, "", pathError(whole, rest, "in a JSON Pointer ~ is written ~0")
		}
	}
	key = strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
	return segment{key: key, quoted: true}, after, nil
}

func bracketSegment(whole, rest string) (segment, string, error) {
	if len(rest) > 1 && rest[1] == '"' {
		end := 2
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		if end+1 >= len(rest) || rest[end+1] != ']' {
			return segment{}, "", pathError(whole, rest, `a quoted key is not closed by "]`)
		}
		key, err := jsontext.AppendUnquote(nil, rest[1:end+1])
		if err != nil {
			return segment{}, "", pathError(whole, rest, "a quoted key is not a JSON string")
		}
		return segment{key: string(key), quoted: true}, rest[end+2:], nil
	}
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return segment{}, "", pathError(whole, rest, "a bracket is not closed")
	}
	if _, ok := parseIndex(rest[1:end]); !ok {
		return segment{}, "", pathError(whole, rest, `a bracket holds the index of a list or a quoted key`)
	}
	return segment{key: rest[1:end], quoted: true}, rest[end+1:], nil
}

func pathError(whole, rest, why string) error {
	return fmt.Errorf("%w: %q, at character %d: %s", ErrPath, whole, utf8.RuneCountInString(whole[:len(whole)-len(rest)])+1, why)
}

func bare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// Bare tells whether a key may stand in a path without quotes.
func Bare(key string) bool {
	for i := range len(key) {
		if !bare(key[i]) {
			return false
		}
	}
	return key != ""
}

func parseIndex(s string) (int, bool) {
	if s == "" || len(s) > 9 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// String writes p with dots; an index looks like a key, because the path alone does not know.
func (p Path) String() string {
	var b strings.Builder
	for _, key := range p {
		writeKey(&b, key)
	}
	return b.String()
}

// PathString writes p as a path below v, with indices of lists in brackets.
func (v *Value) PathString(p Path) string {
	var b strings.Builder
	for _, key := range p {
		if v != nil && v.Kind() == List {
			b.WriteString("[" + key + "]")
		} else {
			writeKey(&b, key)
		}
		if v != nil {
			v, _ = v.Step(key)
		}
	}
	return b.String()
}

func writeKey(b *strings.Builder, key string) {
	switch {
	case !Bare(key):
		quoted, _ := jsontext.AppendQuote(nil, key)
		b.WriteString("[" + string(quoted) + "]")
	case b.Len() > 0:
		b.WriteByte('.')
		fallthrough
	default:
		b.WriteString(key)
	}
}

// Pointer writes p as a JSON Pointer.
func (p Path) Pointer() string {
	var b strings.Builder
	for _, key := range p {
		b.WriteByte('/')
		b.WriteString(pointerEscaper.Replace(key))
	}
	return b.String()
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")
