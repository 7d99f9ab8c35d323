package server_test

import (
	"go/ast"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// made are the types of errors that answers are made of, with the name of the field that holds the code; without names it is the second.
var made = map[string]string{"problem": "Code", "refusal": "code", "Refused": "Reason", "failure": "code"}

// answers are the codes of errors that answers can carry, or that are counted in their place, with the statuses, or the codes of closes,
// that stand beside them. Of a few that are made elsewhere no status is known.
func (s *source) answers() map[string][]int {
	found := map[string][]int{}
	add := func(code string, status int) {
		if code != "" && !slices.Contains(found[code], status) {
			found[code] = append(found[code], status)
		}
	}
	s.each(func(n ast.Node) {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || made[nameOf(literal.Type)] == "" {
			return
		}
		code, status := "", 0
		for i, e := range literal.Elts {
			name := map[int]string{0: "Status", 1: made[nameOf(literal.Type)]}[i]
			if field, keyed := e.(*ast.KeyValueExpr); keyed {
				name, e = nameOf(field.Key), field.Value
			}
			switch name {
			case "Status":
				status = s.number(e)
			case made[nameOf(literal.Type)]:
				code, _ = s.text(e)
			}
		}
		add(code, status)
	})
	s.calls([]string{"answer"}, func(call *ast.CallExpr, _ []string) { // of webhooks
		if failed, ok := call.Args[len(call.Args)-1].(*ast.CallExpr); ok && nameOf(failed.Fun) == "fail" {
			code, _ := s.text(failed.Args[0])
			add(code, s.number(call.Args[1]))
		}
	})
	s.calls([]string{"refused", "Count"}, func(call *ast.CallExpr, _ []string) {
		if on, _ := call.Fun.(*ast.SelectorExpr); on == nil || nameOf(on.X) == "strings" {
			return
		}
		ast.Inspect(call.Args[len(call.Args)-1], func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok {
				code, _ := s.text(literal)
				add(code, 0)
			}
			return true
		})
	})
	for name, text := range s.constants {
		if strings.HasPrefix(name, "Reason") && !slices.Contains(ofSnapshots, text) {
			add(text, 0)
		}
	}
	return found
}

// number is a status, or the code of a close; 0 for what is none from the start.
func (s *source) number(e ast.Expr) int {
	if name, ok := strings.CutPrefix(nameOf(e), "Status"); ok && name != "" {
		for status := 400; status < 600; status++ {
			if name == strings.ReplaceAll(http.StatusText(status), " ", "") {
				return status
			}
		}
	}
	return s.numbers[nameOf(e)]
}

// ofOpenFeature tells its codes from ours.
func ofOpenFeature(code string) bool { return strings.ToUpper(code) == code }

func TestEveryErrorHasARow(t *testing.T) {
	known := append(slices.Clone(telling), silent...)
	found := readSource(t).answers()
	for code := range found {
		if !slices.Contains(known, code) && !ofOpenFeature(code) {
			t.Errorf("the error %s has no row", code)
		}
	}
	for _, code := range known {
		if found[code] == nil {
			t.Errorf("no error has the code %s any more", code)
		}
	}
}

// describedErrors are the codes of docs/errors.md, with their statuses.
func describedErrors(t *testing.T) map[string][]int {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]int{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 4 {
			continue
		}
		statuses := []int{0}
		for _, text := range numeral.FindAllString(cells[1], -1) {
			status, _ := strconv.Atoi(text)
			statuses = append(statuses, status)
		}
		for _, code := range backquoted.FindAllStringSubmatch(cells[0], -1) {
			rows[code[1]] = append(rows[code[1]], statuses...)
		}
	}
	return rows
}

var (
	numeral    = regexp.MustCompile(`\d+`)
	backquoted = regexp.MustCompile("`([^`]+)`")
	listed     = regexp.MustCompile(`\b([45]\d\d)((?:,? [a-z]+[A-Z][A-Za-z]*| forbidden| busy| needed| broken)+)`) // in a description of the HTTP surface
)

func TestEveryErrorIsDescribed(t *testing.T) {
	rows, found := describedErrors(t), readSource(t).answers()
	for code, statuses := range found {
		for _, status := range statuses {
			if !slices.Contains(rows[code], status) {
				t.Errorf("docs/errors.md has no row of %s with the status %d", code, status)
			}
		}
	}
	for code := range rows {
		if found[code] == nil {
			t.Errorf("docs/errors.md describes %s, which nothing answers", code)
		}
	}
	lists := 0
	for _, text := range descriptions(openAPI(t)) {
		for _, list := range listed.FindAllStringSubmatch(text, -1) {
			lists++
			status, _ := strconv.Atoi(list[1])
			for code := range strings.FieldsFuncSeq(list[2], func(r rune) bool { return r == ',' || r == ' ' }) {
				if !slices.Contains(rows[code], status) {
					t.Errorf("docs/openapi.yaml tells of %s with the status %d, and docs/errors.md does not", code, status)
				}
			}
		}
	}
	if lists < 50 {
		t.Errorf("docs/openapi.yaml lists errors %d times", lists)
	}
}

// descriptions are the texts of a document that describe something.
func descriptions(of any) (texts []string) {
	switch of := of.(type) {
	case map[string]any:
		if text, ok := of["description"].(string); ok {
			texts = append(texts, strings.ReplaceAll(text, "\n", " "))
		}
		for _, below := range of {
			texts = append(texts, descriptions(below)...)
		}
	case []any:
		for _, below := range of {
			texts = append(texts, descriptions(below)...)
		}
	}
	return texts
}
