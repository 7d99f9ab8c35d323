package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/trunkline/trunkline/value"
)

// renderDotenv writes a variable a line, sorted by path. What is no map is one variable, a list as JSON, null as nothing. A redacted
// value is left out, but for a comment: a placeholder would be taken for the secret.
//
// The text can be read by a POSIX shell, by systemd's EnvironmentFile and by dotenv libraries.
func renderDotenv(v *value.Value) ([]byte, error) {
	d := &dotenv{paths: map[string]string{}}
	d.b.WriteString(keptNotice)
	if err := d.add(v, v, nil); err != nil {
		return nil, err
	}
	return []byte(d.b.String()), nil
}

type dotenv struct {
	b     strings.Builder
	paths map[string]string // by the name of the variable
}

func (d *dotenv) add(root, v *value.Value, path value.Path) error {
	if v.Kind() != value.Map {
		return d.variable(root.PathString(path), variableName(path), v)
	}
	for _, e := range v.Entries() {
		if err := d.add(root, e.Value, append(path[:len(path):len(path)], e.Key)); err != nil {
			return err
		}
	}
	return nil
}

func (d *dotenv) variable(path, name string, v *value.Value) error {
	if other, taken := d.paths[name]; taken {
		return fmt.Errorf("%s and %s are both the variable %s: narrow the patterns, or choose another --format", other, path, name)
	}
	d.paths[name] = path
	text := v.String()
	switch v.Kind() {
	case value.Redacted:
		fmt.Fprintf(&d.b, "# %s is redacted\n", name)
		return nil
	case value.Null:
		text = ""
	case value.String:
		text = v.Str()
	}
	if strings.ContainsRune(text, 0) {
		return fmt.Errorf("%s holds a NUL, which no variable can: choose another --format", path)
	}
	fmt.Fprintf(&d.b, "%s=%s\n", name, quoted(text))
	return nil
}

// variableName is a path in UPPER_SNAKE: its segments joined by underscores, an underscore before each capital that begins a word, and
// one for every character that is no letter of ASCII and no digit.
func variableName(path value.Path) string {
	var name strings.Builder
	for i, segment := range path {
		if i > 0 {
			name.WriteByte('_')
		}
		runes := []rune(segment)
		for j, c := range runes {
			if j > 0 && beginsWord(runes, j) {
				name.WriteByte('_')
			}
			if c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) {
				c = '_'
			}
			name.WriteRune(unicode.ToUpper(c))
		}
	}
	text := name.String()
	if text == "" || unicode.IsDigit(rune(text[0])) {
		return "_" + text
	}
	return text
}

// beginsWord tells whether a capital follows what is none, or stands before a small letter: dbURL is DB_URL, and URLPath URL_PATH.
func beginsWord(runes []rune, i int) bool {
	if !isUpper(runes[i]) {
		return false
	}
	before := runes[i-1]
	return isLower(before) || before >= '0' && before <= '9' || isUpper(before) && i+1 < len(runes) && isLower(runes[i+1])
}

func isUpper(c rune) bool { return c >= 'A' && c <= 'Z' }
func isLower(c rune) bool { return c >= 'a' && c <= 'z' }

// quoted is a text as one word of a POSIX shell.
func quoted(text string) string {
	harmless := func(c rune) bool {
		return isUpper(c) || isLower(c) || c >= '0' && c <= '9' || strings.ContainsRune("_-./:@%+,", c)
	}
	switch {
	case strings.IndexFunc(text, func(c rune) bool { return !harmless(c) }) < 0:
		return text
	case !strings.Contains(text, "'"):
		return "'" + text + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(text) + `"`
}
