package document_test

import (
	"testing"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// TestDigitsThatAreNotKept holds that a number is not shortened without a word, in any format.
func TestDigitsThatAreNotKept(t *testing.T) {
	for text, warned := range map[string]bool{
		"0.1234567890123456789": true, "1.00000000000000000001": true, "123456789.0123456789e3": true,
		"0.1": false, "0.00000000000000000001": false, "1.2345678901234567": false, "1e300": false, "12.5e-10": false,
	} {
		for format, doc := range map[document.Format]string{document.YAML: "n: " + text, document.JSON: `{"n": ` + text + `}`, document.TOML: "n = " + text} {
			v, problems := document.Decode(&value.File{Path: "f"}, format, []byte(doc), document.Limits{})
			if v == nil || (len(problems) == 1 && problems[0].Rule == "precision") != warned || !warned && len(problems) > 0 {
				t.Errorf("%s: %v, %+v", doc, v, problems)
			}
		}
	}
}
