package gitsync_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// checkMailmap asks Git who people are by a mailmap.
func checkMailmap(dir, mailmap string, people []gitsync.Person) ([]gitsync.Person, error) {
	file := filepath.Join(dir, "map")
	if err := os.WriteFile(file, []byte(mailmap), 0o600); err != nil {
		return nil, err
	}
	var contacts strings.Builder
	for _, p := range people {
		fmt.Fprintf(&contacts, "%s <%s>\n", p.Name, p.Email)
	}
	cmd := gittest.Command(context.Background(), dir, "-c", "mailmap.file="+file, "check-mailmap", "--stdin")
	cmd.Stdin = strings.NewReader(contacts.String())
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var found []gitsync.Person
	for line := range strings.Lines(string(out)) {
		name, email, _ := strings.Cut(strings.TrimSuffix(line, ">\n"), "<")
		found = append(found, gitsync.Person{Name: strings.TrimSpace(name), Email: email})
	}
	return found, nil
}

const table = `# Who is who
Proper Name <commit@example.com>
<proper@example.com> <OLD@example.com>
Both Names <both@example.com> <both-old@example.com>
By Name <byname@example.com> Nick <shared@example.com>
Other Name <othername@example.com>   Other Nick   <shared@example.com>
Anybody Else <shared@example.com>
First <twice@example.com>
Second <TWICE@example.com>
<later@example.com> <twice@example.com>
 # Not a comment <hash@example.com>
  Space Around	 <space@example.com>
Nobody <>
Proper Empty <empty@example.com> <>
no address at all
Open <open@example.com
Behind <behind@example.com> words behind
Behind <behind2@example.com> words <old-behind@example.com> more
<only@example.com>
J. Doe (Work) <j@example.com>
Ünï Cödé <uni@example.com> Ünï <uni@example.com>
`

func TestMailmapAgreesWithGit(t *testing.T) {
	t.Parallel()
	var people []gitsync.Person
	for _, name := range []string{"A", "Nick", "NICK", "Other Nick", "words", "words behind", "Ünï", "ünï", ""} {
		for _, email := range []string{
			"commit", "Commit", "old", "proper", "both", "both-old", "shared", "SHARED", "twice", "later", "hash", "space", "empty", "open",
			"behind", "behind2", "old-behind", "only", "j", "uni", "none",
		} {
			people = append(people, gitsync.Person{Name: name, Email: email + "@example.com"})
		}
		people = append(people, gitsync.Person{Name: name})
	}
	dir := t.TempDir()
	git(t, dir, "init", "--quiet")
	for name, mailmap := range map[string]string{
		"table": table, "with CRLF": strings.ReplaceAll(table, "\n", "\r\n"), "no end": strings.TrimSuffix(table, "\n"), "empty": "", "backwards": backwards(table),
	} {
		want, err := checkMailmap(dir, mailmap, people)
		must(t, err)
		m := gitsync.ParseMailmap([]byte(mailmap))
		for i, p := range people {
			if got := m.Person(p); got != want[i] {
				t.Errorf("%s: %s <%s> is %+v, and for git %+v", name, p.Name, p.Email, got, want[i])
			}
		}
	}
}

func backwards(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	return strings.Join(lines, "")
}

// Whatever stands in a mailmap, it says to us what it says to git.
func TestMailmapProperty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git(t, dir, "init", "--quiet")
	word := rapid.SampledFrom([]string{"a", "A", "b", "Bo", "bO", "é", "É", "c d", "C D", "\xff", "#", "."})
	space := rapid.SampledFrom([]string{"", " ", "\t", "  ", "\r"})
	junk := rapid.SampledFrom([]string{"<", ">", "#", "\n", " ", "a", "<a>", "<>", "\v"})
	address := rapid.Custom(func(t *rapid.T) string { return "<" + word.Draw(t, "email") + ">" })
	line := rapid.Custom(func(t *rapid.T) string {
		parts := []string{
			space.Draw(t, "s"), rapid.OneOf(word, rapid.Just("")).Draw(t, "proper"), space.Draw(t, "s"), address.Draw(t, "email"), space.Draw(t, "s"),
			rapid.OneOf(word, rapid.Just("")).Draw(t, "old"), space.Draw(t, "s"), rapid.OneOf(address, rapid.Just(""), rapid.Just("<>")).Draw(t, "email"),
			space.Draw(t, "s"),
		}
		if rapid.IntRange(0, 4).Draw(t, "harm") == 0 {
			parts[rapid.IntRange(0, len(parts)-1).Draw(t, "at")] = junk.Draw(t, "junk")
		}
		return strings.Join(parts, "") + "\n"
	})
	var people []gitsync.Person
	for _, name := range []string{"a", "B", "bo", "é", "c d", "#", ""} {
		for _, email := range []string{"a", "b", "BO", "é", "É", "c d", "#", ".", ""} {
			people = append(people, gitsync.Person{Name: name, Email: email})
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		mailmap := strings.Join(rapid.SliceOfN(line, 0, 12).Draw(t, "lines"), "")
		want, err := checkMailmap(dir, mailmap, people)
		if err != nil {
			t.Fatal(err)
		}
		m := gitsync.ParseMailmap([]byte(mailmap))
		for i, p := range people {
			// Git shows what stands there; we make it fit to be shown, and leave what would be nothing then.
			shown := gitsync.Person{
				Name:  cmp.Or(gitsync.OneLine(want[i].Name), p.Name),
				Email: cmp.Or(gitsync.OneLine(want[i].Email), p.Email),
			}
			if got := m.Person(p); got != shown {
				t.Errorf("by %q, %q <%q> is %q, and for git %q", mailmap, p.Name, p.Email, got, shown)
			}
		}
	})
}

func TestMailmapIsBounded(t *testing.T) {
	t.Parallel()
	p := gitsync.Person{Name: "Old", Email: "old@example.com", When: time.Unix(1_700_000_000, 0)}
	line := "New <new@example.com> <old@example.com>\n"
	renamed := gitsync.Person{Name: "New", Email: "new@example.com", When: p.When}
	for name, tt := range map[string]struct {
		data string
		want gitsync.Person
	}{
		"one line":       {line, renamed},
		"a long line":    {strings.Repeat("x", 5000) + line + line, renamed},
		"long alone":     {strings.Repeat("x", 5000) + line, p},
		"beyond a NUL":   {"\x00\n" + line, p},
		"beyond 1 MiB":   {strings.Repeat("#\n", 512<<10) + line, p},
		"within 1 MiB":   {strings.Repeat("#\n", 512<<10-100) + line, renamed},
		"beyond entries": {strings.Repeat("a <b>\n", 100_000) + line, p},
		"long values":    {strings.Repeat("é", 1000) + " <old@example.com>\n", gitsync.Person{Name: strings.Repeat("é", 100), Email: p.Email, When: p.When}},
		"controls":       {"E\x1b[31mvil\a <e\x00vil> <old@example.com>", p},
		"an escape":      {"E\x1b[31mvil <old@example.com>", gitsync.Person{Name: "E [31mvil", Email: p.Email, When: p.When}},
		"nothing":        {"\x1b <\x1b> <old@example.com>", p},
	} {
		if got := gitsync.ParseMailmap([]byte(tt.data)).Person(p); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	if got := (gitsync.Mailmap{}).Person(p); got != p {
		t.Errorf("by no map: %+v", got)
	}
}

// A commit has the map of its own tree, as git has it in a bare repository.
func TestMailmapOfACommit(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	without := change(remote, "Without")
	remote.Write(map[string]string{".mailmap": "Grace Hopper <ada@example.com>\n", "sub/.mailmap": "No <ada@example.com>\n"})
	with := remote.Commit("With")
	remote.Remove(".mailmap")
	must(t, os.Symlink("sub/.mailmap", filepath.Join(remote.Work(), ".mailmap")))
	linked := remote.Commit("Linked")
	remote.Remove(".mailmap")
	remote.Write(map[string]string{".mailmap/file": "x"})
	folder := remote.Commit("A folder")
	remote.Remove(".mailmap")
	remote.Write(map[string]string{".mailmap": strings.Repeat("#\n", 512<<10+1)})
	huge := remote.Commit("Huge")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	ada := gitsync.Person{Name: "Ada", Email: "ada@example.com"}
	for commit, name := range map[string]string{without: "Ada", with: "Grace Hopper", linked: "Ada", folder: "Ada"} {
		m, err := w.Mailmap(hash(t, commit))
		if err != nil || m.Person(ada).Name != name {
			t.Errorf("by %s: %q, %v, want %q", commit, m.Person(ada).Name, err, name)
		}
	}
	c, err := w.Commit(hash(t, with))
	if err != nil || c.Author.Name != "Ada" {
		t.Errorf("author %q, %v: a claim stays as it is", c.Author.Name, err)
	}
	var large *gitsync.TooLargeError
	if _, err := w.Mailmap(hash(t, huge)); !errors.As(err, &large) {
		t.Errorf("beyond 1 MiB: %v, want *TooLargeError", err)
	}
	if _, err := w.Mailmap(gitsync.Hash{1}); !errors.Is(err, gitsync.ErrNotFound) {
		t.Errorf("no such commit: %v, want ErrNotFound", err)
	}
}
