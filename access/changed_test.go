package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunkline/trunkline/access"
)

// What other processes change in the file of tokens is told, once, whether it is found by a look or before a change of one's own.
func TestForeignChangesOfTokensAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tokens.json")
		tokens, other := openTokens(t, file), openTokens(t, file)
		var told []string
		tokens.OnChange(func(changes []access.Change) {
			for _, c := range changes {
				told = append(told, strings.Join([]string{c.What, c.Details["name"], c.Details["patterns"], c.Details["rights"]}, " "))
			}
			slices.Sort(told)
		})
		is := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(told, want) {
				t.Errorf("told is %q, not %q", told, want)
			}
			told = nil
		}
		makeToken(t, other, access.TokenOptions{Name: "before", Grant: checkout(t)})
		makeToken(t, tokens, access.TokenOptions{Name: "own", Grant: checkout(t)})
		is("made before checkout.** history")
		running(t, tokens.Run)
		makeToken(t, other, access.TokenOptions{Name: "later", Grant: checkout(t), Expires: time.Now().Add(time.Hour)})
		if _, err := other.Revoke("before"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		is("made later checkout.** history", "revoked before checkout.** history")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, strings.Replace(string(data), `"history"`, `"reveal"`, 1))
		time.Sleep(time.Second)
		is("changed own checkout.** reveal")
		write(t, file, `{"version": 1, "tokens": [`)
		time.Sleep(time.Second)
		is()
		write(t, file, strings.Replace(string(data), `"history"`, `"reveal"`, 1))
		time.Sleep(time.Hour)
		if _, err := other.Revoke("later"); err != nil { // which has expired
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		is()
	})
}

func TestChangesOfIssuersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := settings(t, "leeway: 5s", "p256")
		var told []string
		j, err := access.OpenJWTs(file, access.JWTOptions{Log: silent, Changed: func(changes []access.Change) {
			for _, c := range changes {
				told = append(told, strings.TrimSpace(strings.Join([]string{c.What, c.Details["issuer"], c.Details["changed"]}, " ")))
			}
			slices.Sort(told)
		}})
		if err != nil {
			t.Fatal(err)
		}
		running(t, j.Run)
		first := provider("file: jwks.json", "leeway: 5s")
		second := strings.Replace(strings.Replace(first, "leeway: 5s", "", 1), "checkout.**", "billing.**", 1)
		third := strings.TrimPrefix(strings.ReplaceAll(first, issuer, "https://third.example"), "providers:\n")
		for _, step := range []struct {
			text string
			want []string
		}{
			{second, []string{"issuer changed " + issuer + " leeway rules"}},
			{second + "# as before\n", nil},
			{"providers: [", nil},
			{second + third, []string{"issuer added https://third.example"}},
			{"providers:\n" + third, []string{"issuer removed " + issuer}},
		} {
			told = nil
			write(t, file, step.text)
			time.Sleep(time.Second)
			synctest.Wait()
			if !slices.Equal(told, step.want) {
				t.Errorf("told is %q, not %q", told, step.want)
			}
		}
	})
}

// However much a token is granted, all of it goes on record.
func TestLargeGrantsAreRecordedWhole(t *testing.T) {
	var patterns []string
	for n := range access.MaxGrantPatterns {
		patterns = append(patterns, fmt.Sprintf("a%d.%s", n, strings.Repeat("b", 30)))
	}
	_, made := makeToken(t, newTokens(t), access.TokenOptions{Name: "x", Grant: grant(t, []string{"*"}, patterns, 0)})
	details, told := made.Recorded(), []string{}
	for n := range 32 {
		name := "patterns"
		if n > 0 {
			name = fmt.Sprint("patterns", n+1)
		}
		if len(details[name]) > 1024 {
			t.Errorf("%s has %d bytes", name, len(details[name]))
		}
		told = append(told, strings.Fields(details[name])...)
	}
	slices.Sort(patterns)
	if slices.Sort(told); !slices.Equal(told, patterns) || len(details) > 32 || details["patterns2"] == "" {
		t.Errorf("on record are %d of %d patterns, in %d details", len(told), len(patterns), len(details))
	}
}
