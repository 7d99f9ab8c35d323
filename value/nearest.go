package value

import (
	"fmt"
	"strings"
)

// Suggestion is the hint for a name that is not known: the nearest one that is, or all of them after a few words.
func Suggestion(name string, known []string, words string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return words + strings.Join(known, ", ")
}

// Nearest is the known name that a mistyped one most likely means, or "" when none is near.
func Nearest(name string, known []string) string {
	best, least := "", 1+min(3, len(name)/3+1)
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
