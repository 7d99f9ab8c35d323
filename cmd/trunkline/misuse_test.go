package main

import (
	"bytes"
	"strings"
	"testing"
)

// Whoever gets the arguments wrong is told by the exit code 2, and whoever gets no answer by 1.
func TestExitCodes(t *testing.T) {
	t.Setenv("TRUNKLINE_TOKEN", "tlk_x")
	for args, want := range map[string]int{
		"token new x --right operat":                               2,
		"token new x a..b":                                         2,
		"token new x --public --right reveal":                      2,
		"token new x --expires yesterday":                          2,
		"pin prod 4be2f1c --reason x --expires -1h":                2,
		"history --since soon":                                     2,
		"query a --where {":                                        2,
		"audit verify --head x":                                    2,
		"watch a --once":                                           2,
		"experiment plan --baseline 400% --effect 1% --metric x":   2,
		"token new x --right":                                      2,
		"nonsense":                                                 2,
		"token new x --server http://127.0.0.1:1":                  1,
		"get a.b --server http://127.0.0.1:1":                      1,
		"token list --token-file nowhere --server http://[::1]:1/": 1,
		"version": 0,
	} {
		var out, talk bytes.Buffer
		got := execute(t.Context(), strings.Fields(args), &streams{out: &out, err: &talk})
		if got != want || (got == 2) != strings.Contains(talk.String(), "See trunkline --help.") || (got == 0) != (talk.Len() == 0) {
			t.Errorf("trunkline %s: %d, not %d: %s", args, got, want, talk.String())
		}
	}
}
