package validator_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply/compile"
)

// answering is a validator that always answers the same.
func answering(t *testing.T, answer string) compile.Validator {
	t.Helper()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
	return only(t, "url: %q", server.URL)
}

func TestAnswers(t *testing.T) {
	unexplained := compile.Problem{
		Severity: compile.Error, Rule: "capacity", Message: "the validator capacity rejects this and does not say why",
		Hint: "let its answer hold a problem with a message",
	}
	slow := compile.Problem{Severity: compile.Warning, Rule: "capacity", Message: "slow"}
	for name, test := range map[string]struct {
		answer string
		want   []compile.Problem
	}{
		"valid": {`{"verdict": "valid"}`, nil},
		"valid, with a warning": {
			`{"verdict": "valid", "problems": [{"severity": "warning", "message": "slow"}]}`, []compile.Problem{slow},
		},
		"rejected": {
			`{"verdict": "rejected", "problems": [{"severity": "error", "path": "db.pool", "rule": "tooLarge", "message": "at most 30", "hint": "ask for more"}]}`,
			[]compile.Problem{{Severity: compile.Error, Path: "db.pool", Rule: "tooLarge", Message: "at most 30", Hint: "ask for more"}},
		},
		"rejected, with a message alone": {
			`{"verdict": "rejected", "problems": [{"message": "no"}]}`,
			[]compile.Problem{{Severity: compile.Error, Rule: "capacity", Message: "no"}},
		},
		"rejected, without a problem": {`{"verdict": "rejected"}`, []compile.Problem{unexplained}},
		"rejected, with a warning alone": {
			`{"verdict": "rejected", "problems": [{"severity": "warning", "message": "slow"}]}`, []compile.Problem{slow, unexplained},
		},
		"characters that cannot be shown": {
			`{"verdict": "valid", "problems": [{"severity": "warning", "message": " one\n\u001b[31mtwo\u202e\u0000  ö ", "rule": "\t"}]}`,
			[]compile.Problem{{Severity: compile.Warning, Rule: "capacity", Message: "one [31mtwo ö"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := answering(t, test.answer).Validate(t.Context(), candidate(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	for answer, want := range map[string]string{
		"":                        "the answer is empty",
		" \n":                     "the answer is empty",
		"ok":                      "the answer is not JSON: ",
		`{"verdict": "valid"`:     "the answer is not JSON: ",
		`{"verdict": "valid"} {}`: "the answer is not JSON: ",
		`{"verdict": "rejected", "verdict": "valid"}`: "the answer is not JSON: ",
		"{\"verdict\": \"\xff\"}":                     "the answer is not JSON: ",
		strings.Repeat("[", 10_000):                   "the answer is not JSON: ",
		`["valid"]`:                                   "the answer is a list and not an object",
		`{}`:                                          `the verdict is ""; it must be valid, rejected or pending`,
		`{"verdict": "Valid"}`:                        `the verdict is "Valid"; it must be valid, rejected or pending`,
		`{"verdict": true}`:                           "verdict is a boolean and not a string",
		`{"Verdict": "valid"}`:                        `the answer has a key "Verdict"; known are verdict, problems`,
		`{"verdict": "valid", "problems": {}}`:        "problems is a map and not a list",
		`{"verdict": "valid", "problems": ["slow"]}`:  "problem 1: the problem is a string and not an object",
		`{"verdict": "rejected", "problems": [{"message": "a"}, {"file": "b"}]}`:   `problem 2: the problem has a key "file"; known are `,
		`{"verdict": "rejected", "problems": [{"message": " "}]}`:                  "problem 1: there is no message",
		`{"verdict": "rejected", "problems": [{"message": 1}]}`:                    "problem 1: message is an integer and not a string",
		`{"verdict": "valid", "problems": [{"message": "a", "severity": "info"}]}`: `problem 1: the severity is "info", neither error nor warning`,
		`{"verdict": "valid", "problems": [{"message": "a"}]}`:                     "the answer contradicts itself: ",
		`{"verdict": "pending"}`: "it cannot tell yet",
		`{"verdict": "pending", "problems": [{"message": "the quota service\nis away"}]}`: "it cannot tell yet: the quota service is away",
		`{"verdict": "valid", "problems": []` + strings.Repeat(" ", 1<<20) + `}`:          "the answer is larger than 1048576 bytes",
	} {
		t.Run(answer[:min(len(answer), 60)], func(t *testing.T) { noAnswer(t, answering(t, answer), want) })
	}
}

// TestManyProblems holds that of too many problems the errors are kept.
func TestManyProblems(t *testing.T) {
	var list []string
	for i := range 200 {
		list = append(list, fmt.Sprintf(`{"severity": "%s", "message": "m%d"}`, []string{"warning", "error"}[i/150], i))
	}
	got, err := answering(t, `{"verdict": "rejected", "problems": [`+strings.Join(list, ",")+`]}`).Validate(t.Context(), candidate(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 100 || got[0].Message != "m150" || got[49].Message != "m199" || got[50].Message != "m0" {
		t.Errorf("%d problems: %v", len(got), got)
	}
}

func TestLongTexts(t *testing.T) {
	long := quoted(strings.Repeat("ö", 5000))
	got, err := answering(t, `{"verdict": "rejected", "problems": [{"message": `+long+`, "path": `+long+`, "rule": `+long+`, "hint": `+long+`}]}`).
		Validate(t.Context(), candidate(t))
	if err != nil {
		t.Fatal(err)
	}
	p := got[0]
	for text, limit := range map[string]int{p.Message: 1000, p.Path: 1024, p.Rule: 100, p.Hint: 500} {
		if len(text) > limit || len(text) < limit-2 || !strings.HasSuffix(text, "ö…") {
			t.Errorf("%d bytes for %d: …%s", len(text), limit, text[len(text)-8:])
		}
	}
}

// FuzzAnswer holds that what is passed on is bounded and fit to be shown, and that nothing is valid beside an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"verdict": "rejected", "problems": [{"severity": "error", "path": "a.b", "rule": "r", "message": "m", "hint": "h"}]}`))
	f.Add([]byte(`{"verdict": "valid", "problems": [{"severity": "warning", "message": "\u202e"}]}`))
	var answer []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, data []byte) {
		answer = data
		problems, err := only(t, "url: %q", server.URL).Validate(t.Context(), candidate(t))
		if err != nil && !shown(err.Error(), 500) {
			t.Errorf("the error %q", err)
		}
		for _, p := range problems {
			if p.Message == "" || p.Rule == "" || p.Severity != compile.Error && p.Severity != compile.Warning ||
				!shown(p.Path+p.Rule+p.Message+p.Hint, 4000) {
				t.Errorf("%+v", p)
			}
		}
	})
}

func shown(text string, limit int) bool {
	return len(text) <= limit && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
