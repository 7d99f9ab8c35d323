package access_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

func TestTokenText(t *testing.T) {
	shape := regexp.MustCompile(`^tlk_[0-9A-Za-z]{50}$`)
	seen := map[string]bool{}
	for range 200 {
		text, id, _ := access.NewToken()
		if !shape.MatchString(text) || !access.WellFormed(text) || !strings.HasPrefix(text, "tlk_"+id) || seen[id] {
			t.Fatalf("token %s, ID %s", text, id)
		}
		seen[id] = true
	}
	text, _, _ := access.NewToken()
	if what, certain := value.PlainSecret("x", "see "+text+"."); what != "a Trunkline token" || !certain {
		t.Errorf("a scanner takes it for %q", what)
	}
	for i := range text {
		for _, c := range []byte{'0', 'z', '_', ' ', 0, 0xff} {
			changed := text[:i] + string(c) + text[i+1:]
			if changed != text && access.WellFormed(changed) {
				t.Errorf("%d mistyped: %s", i, changed)
			}
		}
		if access.WellFormed(text[:i]) || access.WellFormed(text[i+1:]) {
			t.Errorf("cut at %d", i)
		}
	}
	swapped := []byte(text)
	i := slices.IndexFunc(swapped[10:50], func(c byte) bool { return c != swapped[9] }) + 10
	swapped[9], swapped[i] = swapped[i], swapped[9]
	if access.WellFormed(string(swapped)) {
		t.Error("two characters swapped")
	}
}

func TestTokens(t *testing.T) {
	tokens := newTokens(t)
	g := access.NewGuard(access.GuardOptions{Tokens: tokens})
	text, made := makeToken(t, tokens, access.TokenOptions{Name: "checkout", Grant: checkout(t)})
	who, w := ask(g, bearer(stranger, text))
	if who == nil {
		t.Fatalf("refused: %s", w.Body)
	}
	if who.Name != "checkout" || who.Kind != access.KindToken || who.ID != made.ID || who.Grant.Key() != checkout(t).Key() || who.Claims != nil || who.String() != "token:checkout" {
		t.Errorf("who: %+v", who)
	}
	if again, _ := ask(g, bearer(stranger, text)); again != who {
		t.Error("another identity for the same token")
	}
	other, _, _ := access.NewToken()
	for _, text := range []string{other, text[:len(text)-1], "tlk_", "tlk_" + strings.Repeat("0", 50)} {
		who, w := ask(g, bearer(peer, text))
		if who != nil || w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("%s: %v %d %q", text, who, w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	if revoked, err := tokens.Revoke("checkout"); err != nil || len(revoked) != 1 || revoked[0].ID != made.ID {
		t.Fatalf("revoked %v, %v", revoked, err)
	}
	if who, w := ask(g, bearer(stranger, text)); who != nil || code(t, w) != access.ReasonUnknown {
		t.Errorf("revoked: %d %s", w.Code, w.Body)
	}
	if _, err := tokens.Revoke("checkout"); !errors.Is(err, access.ErrUnknownToken) {
		t.Errorf("nothing to revoke: %v", err)
	}
}

// Old and new token serve at a time under one name, and each can be revoked by its ID alone.
func TestRotation(t *testing.T) {
	tokens := newTokens(t)
	g := access.NewGuard(access.GuardOptions{Tokens: tokens})
	oldText, old := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
	newText, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
	a, _ := ask(g, bearer(stranger, oldText))
	b, _ := ask(g, bearer(stranger, newText))
	if a == nil || b == nil || a.String() != b.String() || a.ID == b.ID {
		t.Fatalf("%+v, %+v", a, b)
	}
	if list := tokens.List(); len(list) != 2 {
		t.Errorf("list %+v", list)
	}
	if _, err := tokens.Revoke(old.ID); err != nil {
		t.Fatal(err)
	}
	a, _ = ask(g, bearer(stranger, oldText))
	b, _ = ask(g, bearer(stranger, newText))
	if a != nil || b == nil {
		t.Errorf("after revoking the old one: %v, %v", a, b)
	}
}

func TestTokenOptionsAreChecked(t *testing.T) {
	tokens := newTokens(t)
	for _, o := range []access.TokenOptions{
		{Grant: checkout(t)},
		{Name: "a b", Grant: checkout(t)},
		{Name: "-a", Grant: checkout(t)},
		{Name: "a\n", Grant: checkout(t)},
		{Name: strings.Repeat("a", 101), Grant: checkout(t)},
		{Name: "a"},
		{Name: "a", Grant: checkout(t), Expires: time.Now().Add(-time.Second)},
	} {
		if text, _, err := tokens.New(o); err == nil || text != "" {
			t.Errorf("made %+v", o)
		}
	}
	if list := tokens.List(); len(list) != 0 {
		t.Errorf("list %+v", list)
	}
}

func TestTokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	tokens := openTokens(t, file)
	expires := time.Now().Add(time.Hour)
	text, made := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t), Expires: expires})
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), text) || strings.Contains(string(data), text[16:48]) {
		t.Error("the file holds the token")
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	again := openTokens(t, file).List()
	if len(again) != 1 || again[0].ID != made.ID || !again[0].Expires.Equal(expires.Truncate(time.Second)) || again[0].Grant.Key() != made.Grant.Key() {
		t.Errorf("read again: %+v, made %+v", again, made)
	}
	if leftovers, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(leftovers) != 0 {
		t.Errorf("left over: %q", leftovers)
	}
	listed, _ := json.Marshal(again)
	if strings.Contains(string(listed), "sha256") {
		t.Errorf("a list shows digests: %s", listed)
	}
}

func TestBadTokenFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	makeToken(t, openTokens(t, file), access.TokenOptions{Name: "ci", Grant: checkout(t)})
	data, _ := os.ReadFile(file)
	good := string(data)
	for name, text := range map[string]string{
		"empty":            "",
		"cut":              good[:len(good)/2],
		"more after":       good + "{}",
		"another version":  strings.Replace(good, `"version": 1`, `"version": 2`, 1),
		"an unknown field": strings.Replace(good, `"version": 1`, `"version": 1, "owner": "x"`, 1),
		"deep unknown":     strings.Replace(good, `"name"`, `"nick": "x", "name"`, 1),
		"a field twice":    strings.Replace(good, `"version": 1`, `"version": 1, "version": 1`, 1),
		"no digest":        strings.Replace(good, `"sha256"`, `"SHA256"`, 1),
		"a short digest":   regexp.MustCompile(`"sha256": ".`).ReplaceAllString(good, `"sha256": "`),
		"no grant":         regexp.MustCompile(`(?s)"grant": \{.*?\},`).ReplaceAllString(good, ""),
		"a bad grant":      strings.Replace(good, `"checkout.**"`, `"checkout..a"`, 1),
		"a bad name":       strings.Replace(good, `"ci"`, `"c i"`, 1),
		"a list":           "[]",
		"one twice":        regexp.MustCompile(`(?s)"tokens": \[(.*)\]\n`).ReplaceAllString(good, `"tokens": [$1,$1]`),
		"no JSON":          "tokens: []",
		"bad UTF-8":        strings.Replace(good, `"ci"`, "\"c\xff\"", 1),
	} {
		if text == good {
			t.Fatalf("%s: unchanged", name)
		}
		write(t, file, text)
		_, err := access.OpenTokens(file, silent)
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(t, file, good)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o666} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := access.OpenTokens(file, silent); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if _, err := access.OpenTokens(t.TempDir(), silent); err == nil {
		t.Error("a directory")
	}
}

// What a broken file says is not taken up, and what was known stays, until it is mended.
func TestTokenFileBreaksInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tokens.json")
		tokens := openTokens(t, file)
		g := access.NewGuard(access.GuardOptions{Tokens: tokens})
		text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
		good, _ := os.ReadFile(file)
		stop := running(t, tokens.Run)
		for _, breaks := range []func(){
			func() { write(t, file, "{") },
			func() { _ = os.Chmod(file, 0o644) },
		} {
			breaks()
			time.Sleep(time.Second)
			if who, _ := ask(g, bearer(stranger, text)); who == nil || tokens.Err() == nil || !strings.Contains(tokens.Err().Error(), file) {
				t.Errorf("broken: %v, %v", who, tokens.Err())
			}
			if _, _, err := tokens.New(access.TokenOptions{Name: "x", Grant: checkout(t)}); err == nil {
				t.Error("a broken file was written over")
			}
			_ = os.Chmod(file, 0o600)
			write(t, file, string(good))
			time.Sleep(time.Second)
			if who, _ := ask(g, bearer(stranger, text)); who == nil || tokens.Err() != nil {
				t.Errorf("mended: %v, %v", who, tokens.Err())
			}
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if who, _ := ask(g, bearer(stranger, text)); who != nil || tokens.Err() != nil {
			t.Errorf("removed: %v, %v", who, tokens.Err())
		}
		stop()
	})
}

// ended counts how a credential's sessions end.
type ended struct {
	mu   sync.Mutex
	list []access.End
}

func (e *ended) add(why access.End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, why)
}

func (e *ended) is(t testing.TB, want ...access.End) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.list, want) {
		t.Errorf("ended %q, want %q", e.list, want)
	}
}

// Another process revokes a token, changes a grant, and makes a new one; sessions that are open learn of it within a second.
func TestEndsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tokens.json")
		tokens, elsewhere := openTokens(t, file), openTokens(t, file)
		g := access.NewGuard(access.GuardOptions{Tokens: tokens})
		stop := running(t, g.Run)
		texts := map[string]string{}
		for _, name := range []string{"gone", "changed", "stays"} {
			texts[name], _ = makeToken(t, elsewhere, access.TokenOptions{Name: name, Grant: checkout(t)})
		}
		texts["short"], _ = makeToken(t, elsewhere, access.TokenOptions{Name: "short", Grant: checkout(t), Expires: time.Now().Add(10 * time.Second)})
		time.Sleep(time.Second)
		ends := map[string]*ended{}
		for name, text := range texts {
			who, w := ask(g, bearer(stranger, text))
			if who == nil {
				t.Fatalf("%s: %s", name, w.Body)
			}
			ends[name] = &ended{}
			who.OnEnd(ends[name].add)
			if stop := who.OnEnd(func(access.End) { t.Error("called though it was taken back") }); !stop() || stop() {
				t.Error("taken back")
			}
		}
		if _, err := elsewhere.Revoke("gone"); err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(file)
		var form map[string]any
		_ = json.Unmarshal(data, &form)
		for _, token := range form["tokens"].([]any) {
			if token := token.(map[string]any); token["name"] == "changed" {
				token["grant"] = map[string]any{"environments": []string{"qa"}, "patterns": []string{"**"}}
			}
		}
		write(t, file, string(mustJSON(t, form)))
		time.Sleep(time.Second)
		ends["gone"].is(t, access.Revoked)
		ends["changed"].is(t, access.Changed)
		ends["stays"].is(t)
		ends["short"].is(t)
		if who, _ := ask(g, bearer(stranger, texts["changed"])); who == nil || !who.Grant.Allows("qa") || who.Grant.Allows("prod") {
			t.Errorf("the changed grant: %+v", who)
		}
		time.Sleep(9 * time.Second)
		ends["short"].is(t, access.Expired)
		if _, w := ask(g, bearer(stranger, texts["short"])); code(t, w) != access.ReasonExpired {
			t.Errorf("expired: %s", w.Body)
		}
		time.Sleep(time.Hour)
		for name, want := range map[string]int{"gone": 1, "changed": 1, "stays": 0, "short": 1} {
			if got := len(ends[name].list); got != want {
				t.Errorf("%s ended %d times", name, got)
			}
		}
		stop()
	})
}

// A token is good up to its second and not in it.
func TestExpiresAtTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(t)
		g := access.NewGuard(access.GuardOptions{Tokens: tokens})
		text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t), Expires: time.Now().Add(time.Minute)})
		time.Sleep(time.Minute - 1)
		if who, w := ask(g, bearer(stranger, text)); who == nil {
			t.Fatalf("before: %s", w.Body)
		}
		time.Sleep(time.Nanosecond)
		if who, _ := ask(g, bearer(stranger, text)); who != nil {
			t.Fatal("still good")
		}
	})
}

// OnEnd of a credential that has ended says so at once.
func TestEndBeforeOnEnd(t *testing.T) {
	tokens := newTokens(t)
	g := access.NewGuard(access.GuardOptions{Tokens: tokens})
	text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
	who, _ := ask(g, bearer(stranger, text))
	if _, err := tokens.Revoke("ci"); err != nil {
		t.Fatal(err)
	}
	var e ended
	if stop := who.OnEnd(e.add); stop() {
		t.Error("taken back though it was called")
	}
	e.is(t, access.Revoked)
}

func TestLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tokens.json")
		tokens := openTokens(t, file)
		g := access.NewGuard(access.GuardOptions{Tokens: tokens})
		text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
		makeToken(t, tokens, access.TokenOptions{Name: "idle", Grant: checkout(t)})
		stop := running(t, tokens.Run)
		time.Sleep(90 * time.Second)
		used := time.Now().Truncate(time.Minute)
		for range 3 {
			ask(g, bearer(stranger, text))
		}
		before, _ := os.Stat(file)
		time.Sleep(time.Minute)
		if after, _ := os.Stat(file); !os.SameFile(before, after) {
			t.Error("written at once")
		}
		if list := tokens.List(); !list[0].LastUsed.Equal(used) || !list[1].LastUsed.IsZero() {
			t.Errorf("list %+v", list)
		}
		time.Sleep(5 * time.Minute)
		if list := openTokens(t, file).List(); !list[0].LastUsed.Equal(used) {
			t.Errorf("in the file: %+v", list)
		}
		who, _ := ask(g, bearer(stranger, text))
		var e ended
		who.OnEnd(e.add)
		time.Sleep(time.Hour)
		if list := tokens.List(); !list[0].LastUsed.Equal(time.Now().Truncate(time.Minute)) {
			t.Errorf("of an open session: %+v", list)
		}
		stop()
		if list := openTokens(t, file).List(); !list[0].LastUsed.After(used) {
			t.Errorf("in the file at the end: %+v", list)
		}
		e.is(t) // that it was used changes nothing
	})
}

// Processes that edit the file at a time lose nothing of each other, while a server writes last uses.
func TestConcurrentEdits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	server := openTokens(t, file)
	g := access.NewGuard(access.GuardOptions{Tokens: server})
	text, _ := makeToken(t, server, access.TokenOptions{Name: "used", Grant: checkout(t)})
	var edits sync.WaitGroup
	for p := range 4 {
		tokens := openTokens(t, file)
		edits.Go(func() {
			for n := range 10 {
				name := fmt.Sprintf("p%d-%d", p, n)
				if _, _, err := tokens.New(access.TokenOptions{Name: name, Grant: checkout(t)}); err != nil {
					t.Error(err)
				}
				if n%2 == 1 {
					if _, err := tokens.Revoke(name); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 5 {
		ask(g, bearer(stranger, text))
		running(t, server.Run)() // which writes at its end
	}
	edits.Wait()
	list := openTokens(t, file).List()
	if len(list) != 1+4*5 {
		t.Errorf("%d tokens", len(list))
	}
	if i := slices.IndexFunc(list, func(t access.Token) bool { return t.Name == "used" }); i < 0 || list[i].LastUsed.IsZero() {
		t.Error("the last use was lost")
	}
}

// Expired tokens stay listed for a while.
func TestOldTokensGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(t)
		makeToken(t, tokens, access.TokenOptions{Name: "short", Grant: checkout(t), Expires: time.Now().Add(time.Minute)})
		time.Sleep(20 * 24 * time.Hour)
		makeToken(t, tokens, access.TokenOptions{Name: "a", Grant: checkout(t)})
		if list := tokens.List(); len(list) != 2 {
			t.Errorf("after 20 days: %+v", list)
		}
		time.Sleep(20 * 24 * time.Hour)
		makeToken(t, tokens, access.TokenOptions{Name: "b", Grant: checkout(t)})
		if list := tokens.List(); len(list) != 2 || list[0].Name != "a" {
			t.Errorf("after 40 days: %+v", list)
		}
	})
}

// readToken reads the operator's token.
func readToken(t testing.TB, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, access.OperatorFile))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestOperator(t *testing.T) {
	dir := t.TempDir()
	first, err := access.NewOperator(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := readToken(t, dir)
	if info, _ := os.Stat(filepath.Join(dir, access.OperatorFile)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	g := access.NewGuard(access.GuardOptions{Operator: first})
	who, w := ask(g, bearer(peer, old))
	if who == nil {
		t.Fatal(w.Body)
	}
	if who.String() != "operator:operator" || !who.Grant.May(access.AllRights) || !who.Grant.Allows("any") || !who.Grant.Scope(nil, nil).All() {
		t.Errorf("%+v", who)
	}
	who.OnEnd(func(access.End) { t.Error("ended") })()
	if _, w := ask(g, bearer(stranger, old)); w.Code != 403 || code(t, w) != access.ReasonOperator {
		t.Errorf("from elsewhere: %d %s", w.Code, w.Body)
	}
	proxied := bearer(peer, old)
	proxied.Header.Set("X-Forwarded-For", "127.0.0.1")
	if _, w := ask(g, proxied); code(t, w) != access.ReasonOperator {
		t.Errorf("through a proxy: %s", w.Body)
	}
	second, err := access.NewOperator(dir)
	if err != nil {
		t.Fatal(err)
	}
	g = access.NewGuard(access.GuardOptions{Operator: second})
	if _, w := ask(g, bearer(peer, old)); code(t, w) != access.ReasonUnknown {
		t.Errorf("of an earlier start: %s", w.Body)
	}
	if who, _ := ask(g, bearer(peer, readToken(t, dir))); who == nil {
		t.Error("the present one")
	}
	if _, err := access.NewOperator(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing directory")
	}
}

func FuzzToken(f *testing.F) {
	text, _, _ := access.NewToken()
	f.Add(text)
	f.Add("tlk_")
	f.Add(strings.Repeat("\xff", access.TokenLength))
	g := access.NewGuard(access.GuardOptions{Tokens: newTokens(f)})
	f.Fuzz(func(t *testing.T, text string) {
		if access.WellFormed(text) && (len(text) != access.TokenLength || !strings.HasPrefix(text, "tlk_")) {
			t.Errorf("well formed: %q", text)
		}
		r := request(peer, host)
		r.Header["Authorization"] = []string{text}
		if g.Check(r) == nil {
			t.Errorf("let %q through", text)
		}
		r.Header["Authorization"] = []string{"Bearer " + text}
		if g.Check(r) == nil {
			t.Errorf("let Bearer %q through", text)
		}
	})
}

func FuzzTokenFile(f *testing.F) {
	file := filepath.Join(f.TempDir(), "tokens.json")
	makeToken(f, openTokens(f, file), access.TokenOptions{Name: "ci", Grant: checkout(f)})
	data, _ := os.ReadFile(file)
	f.Add(data)
	f.Add([]byte(`{"version":1,"tokens":[{}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _ = access.ParseTokens(data) })
}
