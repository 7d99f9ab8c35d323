package ofrep_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/trunkline/trunkline/api/ofrep"
	"github.com/trunkline/trunkline/value"
)

// FuzzBody holds that bodies of strangers are read as package value reads JSON, and answered as JSON with one of the statuses that clients
// know.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"context":null}`, `{"context":{"a":[1,2.5,"x",true,null,{"b":{}}]}}`, `{"context":{"a":1,"a":2}}`, `{"x":{"y":1},"context":{"a\u0062":"\ud83d\ude00"}}`,
		`{"context":{"a":99999999999999999999}}`, `{"context":5}`, `{"context":{}} {}`, "{\"context\":{\"a\":\"\xff\"}}", `{"context":{"targetingKey":"u1","country":"DE"}}`, `{"context":{"a":{"$redacted":true,"fp":"x"}}}`,
	} {
		f.Add([]byte(seed))
	}
	h, _ := serving(f, shop)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := ofrep.Attributes(body)
		want, err := value.ParseJSON(body)
		if err == nil && want.Kind() == value.Map {
			context, there := want.Get("context")
			switch {
			case !there || context.Kind() == value.Null:
				if !ok || got.Len() > 0 {
					t.Errorf("%s: %v", body, got)
				}
			case context.Kind() == value.Map:
				if !ok || json.Valid(body) && got.String() != context.String() {
					t.Errorf("%s: %v, want %v", body, got, context)
				}
			case context.Kind() != value.Redacted && ok:
				t.Errorf("%s: %v, which is no map", body, got)
			}
		}
		for _, path := range []string{bulk, single + "checkout.ui.button.color", single + "checkout.timeout"} {
			w := as(h, everybody, http.MethodPost, path, string(body))
			if w.Code != 200 && w.Code != 400 && w.Code != 413 || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s of %q: %d %s", path, body, w.Code, w.Body)
			}
		}
	})
}
