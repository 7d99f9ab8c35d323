package value_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

func sha(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "")))
	return string(sum[:])
}

// The encoding is part of the protocol: these are written by hand from its description.
func TestSumVectors(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ text, sum string }{
		{`null`, sha("\x00")},
		{`false`, sha("\x01\x00")},
		{`true`, sha("\x01\x01")},
		{`0`, sha("\x02\x00\x00\x00\x00\x00\x00\x00\x00")},
		{`1`, sha("\x02\x00\x00\x00\x00\x00\x00\x00\x01")},
		{`-2`, sha("\x02\xff\xff\xff\xff\xff\xff\xff\xfe")},
		{`9223372036854775807`, sha("\x02\x7f\xff\xff\xff\xff\xff\xff\xff")},
		{`1.0`, sha("\x03\x3f\xf0\x00\x00\x00\x00\x00\x00")},
		{`-1.5`, sha("\x03\xbf\xf8\x00\x00\x00\x00\x00\x00")},
		{`-0.0`, sha("\x03\x00\x00\x00\x00\x00\x00\x00\x00")},
		{`""`, sha("\x04\x00")},
		{`"é"`, sha("\x04\x02\xc3\xa9")},
		{`"` + long + `"`, sha("\x04\xac\x02", long)},
		{`{"$redacted":true,"fp":"ab"}`, sha("\x06\x02ab")},
		{`[]`, sha("L\x00")},
		{`{}`, sha("M\x00")},
		{`[null,true,"a"]`, sha("L\x03", "\x00", "\x01\x01", "\x04\x01a")},
		{`{"b":1,"a":null}`, sha("M\x02", "\x01a", "\x00", "\x01b", "\x02\x00\x00\x00\x00\x00\x00\x00\x01")},
		{`{"é":[],"":{"a":[false]}}`, sha("M\x02", "\x00", "\x05", sha("M\x01", "\x01a", "\x05", sha("L\x01", "\x01\x00")), "\x02\xc3\xa9", "\x05", sha("L\x00"))},
	} {
		v := parse(t, c.text)
		if got := v.Sum(); string(got[:]) != c.sum || got.String() != hex.EncodeToString([]byte(c.sum)) {
			t.Errorf("%.40s: %s", c.text, got)
		}
	}
}

func TestSumOfDifferentContent(t *testing.T) {
	sums := map[value.Sum]string{}
	for _, text := range []string{
		`null`, `false`, `true`, `0`, `1`, `1.0`, `"1"`, `""`, `[]`, `{}`, `[[]]`, `[{}]`, `[null]`, `["",""]`, `["\u0000"]`, `[1,2]`, `[[1],2]`, `[[1,2]]`, `[2,1]`,
		`{"":null}`, `{"a":1}`, `{"a":1.0}`, `{"a":{"b":1}}`, `{"a":{},"b":1}`, `{"a":"b"}`, `{"b":"a"}`, `{"ab":""}`, `{"a":{"$redacted":true,"fp":"b"}}`,
	} {
		sum := parse(t, text).Sum()
		if other, ok := sums[sum]; ok {
			t.Errorf("%s and %s have the same sum", text, other)
		}
		sums[sum] = text
	}
}

func TestSumKnowsNoPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawTree(t, 4)
		if elsewhere := moved(v, value.Place{File: &value.File{Path: "f"}, Line: 5, Column: 5}); v.Sum() != elsewhere.Sum() || !value.Equal(v, elsewhere) {
			t.Fatalf("%s", v)
		}
	})
}

// A collection larger than the buffers that are kept for hashing has a sum like any other.
func TestSumOfLargeCollections(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	encoded := "\x04\x80\x80\x80\x01" + long
	for range 3 {
		got := value.NewList([]*value.Value{value.NewString(long, nowhere)}, nowhere).Sum()
		if want := sha("L\x01", encoded); string(got[:]) != want {
			t.Errorf("%s", got)
		}
	}
}

func TestDigests(t *testing.T) {
	key, other := value.Key("key"), value.Key("other")
	for _, text := range []string{"5", `"secret"`, `{"a":[1]}`} {
		v := parse(t, text)
		sum := v.Sum()
		mac := hmac.New(sha256.New, key)
		mac.Write(sum[:])
		want := hex.EncodeToString(mac.Sum(nil))
		if got := key.Digest(v); got != want || key.Fingerprint(v) != want[:2*value.FingerprintBytes] || other.Digest(v) == want {
			t.Errorf("%s: %s, %s", text, got, key.Fingerprint(v))
		}
	}
	if key.Digest(nil) != "" || key.Fingerprint(nil) != "" {
		t.Error("nothing has a digest")
	}
}
