package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// holding waits until a file holds a text.
func holding(t *testing.T, file, text string) {
	t.Helper()
	deadline := time.Now().Add(killPatience)
	for {
		data, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(data), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not hold %s: %s, %v", file, text, data, err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestFileSurvivesRestarts kills the server, again and again: the file stays, and takes up what was pushed meanwhile.
func TestFileSurvivesRestarts(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	file, data := filepath.Join(t.TempDir(), "app.json"), filepath.Join(t.TempDir(), "data")
	push := func(n int) {
		remote.Write(map[string]string{"config/app.yaml": "n: " + strconv.Itoa(n) + "\n"})
		remote.Commit("Change")
		remote.Push()
	}
	push(0)
	server := startChild(t, remote, data)
	addr := strings.TrimPrefix(server.url, "http://")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	var talk bytes.Buffer
	go func() {
		ended <- execute(ctx, []string{"watch", "app", "--server", server.url, "--file", file}, &streams{out: &talk, err: &talk})
	}()
	holding(t, file, `"n": 0`)
	for n := 1; n <= 3; n++ {
		server.kill()
		push(n)
		holding(t, file, `"n": `+strconv.Itoa(n-1))
		server = startChild(t, remote, data, "--listen", addr)
		holding(t, file, `"n": `+strconv.Itoa(n))
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("ended with %d\n%s", code, talk.String())
	}
}

// anyValue draws what a repo may hold.
func anyValue(rt *rapid.T, depth int) *value.Value {
	kind := rapid.IntRange(0, 7).Draw(rt, "kind")
	if depth == 0 {
		kind %= 5
	}
	at := value.Place{}
	switch kind {
	case 0:
		return value.NewBool(rapid.Bool().Draw(rt, "bool"), at)
	case 1:
		return value.NewInt(rapid.Int64().Draw(rt, "int"), at)
	case 2:
		f := rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }).Draw(rt, "float")
		return value.NewFloat(f, at)
	case 5:
		items := make([]*value.Value, rapid.IntRange(0, 3).Draw(rt, "items"))
		for i := range items {
			items[i] = anyValue(rt, depth-1)
		}
		return value.NewList(items, at)
	case 6, 7:
		return anyMap(rt, depth-1)
	default:
		return value.NewString(anyText.Draw(rt, "text"), at)
	}
}

var anyText = rapid.OneOf(
	rapid.StringOfN(rapid.RuneFrom([]rune("ab1 \n\t'\"\\$`#:-=~!%&*{}[]<>|;,.é€😀")), 0, 12, -1),
	rapid.SampledFrom([]string{"", "yes", "null", "~", "1e3", "0x1F", "2026-01-02", "- a", "a: b", "#c", " lead", "trail ", "multi\nline\n", "\"", "<<", "=", ".inf", "$HOME", "`x`"}),
)

func anyMap(rt *rapid.T, depth int) *value.Value {
	keys := rapid.SliceOfNDistinct(rapid.OneOf(rapid.StringMatching(`[a-z][a-zA-Z0-9_-]{0,6}`), anyText), 0, 4, rapid.ID[string]).Draw(rt, "keys")
	entries := []value.Entry{}
	for _, key := range keys {
		if key != value.PatchKey && !strings.ContainsFunc(key, unicode.IsControl) { // which no repo may hold
			entries = append(entries, value.Entry{Key: key, Value: anyValue(rt, depth)})
		}
	}
	return value.NewMap(entries, value.Place{})
}

// What is written in a format is what is read of it, kinds included; and it is the same each time.
func TestRenderIsRead(t *testing.T) {
	for name, format := range map[string]document.Format{"json": document.JSON, "yaml": document.YAML, "toml": document.TOML} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				want := anyMap(rt, 3)
				data, err := render(name, want)
				if err != nil {
					rt.Fatal(err)
				}
				again, err := render(name, want)
				if err != nil || !bytes.Equal(data, again) {
					rt.Fatalf("another text: %s, %v", again, err)
				}
				got, problems := document.Decode(&value.File{Path: "f"}, format, data, document.Limits{})
				if got == nil || !value.Equal(got, want) {
					rt.Fatalf("%s\n%s\nreads as %v, %+v", want, data, got, problems)
				}
			})
		})
	}
}

// A POSIX shell reads each variable as it was.
func TestDotenvIsReadByAShell(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.env")
	rapid.Check(t, func(rt *rapid.T) {
		want := anyText.Draw(rt, "text")
		root := value.NewMap([]value.Entry{{Key: "a", Value: value.NewString(want, value.Place{})}}, value.Place{})
		data, err := render("dotenv", root)
		if err != nil {
			rt.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			rt.Fatal(err)
		}
		got, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", `. "$0"; printf '%s' "$A"`, file).Output()
		if err != nil || string(got) != want {
			rt.Fatalf("%q is read as %q: %v\n%s", want, got, err, data)
		}
	})
}

func TestVariableNames(t *testing.T) {
	for path, want := range map[string]string{
		"checkout.timeout": "CHECKOUT_TIMEOUT", "db.maxConns": "DB_MAX_CONNS", "dbURL": "DB_URL", "URLPath": "URL_PATH", "HTTP": "HTTP", "utf8Mode": "UTF8_MODE",
		"a-b": "A_B", `hosts["a.b"]`: "HOSTS_A_B", `["2fa"]`: "_2FA", `["größe"]`: "GR__E", `[""]`: "_", "snake_case": "SNAKE_CASE", "ab12": "AB12",
	} {
		at, err := value.ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := variableName(at); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestDotenvErrors(t *testing.T) {
	for text, says := range map[string]string{
		`{"dbURL":1,"db":{"url":2}}`: "db.url and dbURL are both the variable DB_URL",
		`{"a":"b\u0000c"}`:           "a holds a NUL",
	} {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := render("dotenv", v); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"nginx -s reload": {"nginx", "-s", "reload"}, "  a\t b\n": {"a", "b"}, `a 'b c' "d e"`: {"a", "b c", "d e"}, `a''b ""`: {"ab", ""},
		`a\ b \"`: {"a b", `"`}, `"a\"b\\c\d"`: {`a"b\c\d`}, `'$x|y'`: {"$x|y"}, `"|"`: {"|"}, `'\'`: {`\`},
	} {
		if got, err := splitWords(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"": "no program", " ": "no program", "''": "no program", "a | b": "a shell alone", "a $X": "a shell alone", `a "$X"`: "a shell alone", "a `b`": "a shell alone",
		"rm *": "a shell alone", "a; b": "a shell alone", "a 'b": "not closed", `a \`: "not closed",
	} {
		if got, err := splitWords(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
