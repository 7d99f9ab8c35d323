package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// newSalt is random letters and digits that place units.
func newSalt() string {
	random := make([]byte, 6)
	_, _ = rand.Read(random) // it never fails
	return hex.EncodeToString(random)
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./@-]*( [A-Za-z0-9_./@-]+)*$`)
	wordText  = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n)$`) // that some reader of YAML takes for something else
)

// yamlText is a string as YAML: plain where nobody can read it otherwise.
func yamlText(s string) string {
	switch {
	case plainText.MatchString(s) && !wordText.MatchString(s):
		return s
	case strings.IndexFunc(s, hidden) < 0:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	default:
		return yamlJSON(value.NewString(s, value.Place{}))
	}
}

// yamlValue is a value as YAML on one line.
func yamlValue(v *value.Value) string {
	if v.Kind() == value.String {
		return yamlText(v.Str())
	}
	return yamlJSON(v)
}

// yamlJSON is a value as JSON that is YAML, too, which takes fewer characters as they are.
func yamlJSON(v *value.Value) string {
	var b strings.Builder
	for _, r := range string(v.AppendJSON(nil)) {
		if hidden(r) {
			fmt.Fprintf(&b, `\U%08X`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

// sheet is a YAML document that is written line by line.
type sheet struct{ strings.Builder }

func (b *sheet) line(format string, args ...any) {
	fmt.Fprintf(b, format+"\n", args...)
}

// text writes a member that is a string, unless there is none.
func (b *sheet) text(key, text string) {
	if text != "" {
		b.line("%s: %s", key, yamlText(text))
	}
}

func (b *sheet) settings(indent string, set []experiment.Setting) {
	for _, s := range set {
		b.line("%s%s: %s", indent, yamlText(s.Path.String()), yamlValue(s.Value))
	}
}
