package access

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// publicKey is a key with which an issuer's signatures are checked.
type publicKey struct {
	kid        string
	algorithms []jose.SignatureAlgorithm // it is good for
	key        any
}

// matching are the keys of a kid that are good for an algorithm. A JWT without a kid is checked with the only key there is for its
// algorithm. A nil set has none.
func (s *keySet) matching(kid string, alg jose.SignatureAlgorithm) []publicKey {
	if s == nil {
		return nil
	}
	var found []publicKey
	for _, k := range s.keys {
		if (kid == "" || k.kid == kid) && slices.Contains(k.algorithms, alg) {
			found = append(found, k)
		}
	}
	if kid == "" && len(found) > 1 {
		return nil
	}
	return found
}

// jwkForm is what is taken of a JSON Web Key. Certificates are not: the keys are trusted for where they come from.
type jwkForm struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid,omitempty"`
	Use    string   `json:"use,omitempty"`
	KeyOps []string `json:"key_ops,omitempty"`
	Alg    string   `json:"alg,omitempty"`
	Crv    string   `json:"crv,omitempty"`
	X      string   `json:"x,omitempty"`
	Y      string   `json:"y,omitempty"`
	N      string   `json:"n,omitempty"`
	E      string   `json:"e,omitempty"`

	// Secret parts: a key that has them is none to trust.
	D jsontext.Value `json:"d,omitempty"`
	K jsontext.Value `json:"k,omitempty"`
}

// parseKeys reads a JSON Web Key Set (RFC 7517). Keys that cannot check signatures, or are too weak, are passed over; a set that
// holds no others is an error. RSA keys have 2048 bits at least, and 4096 at most ([jose.MaxRSAModulusBits]): who forges a JWT has us check it.
func parseKeys(data []byte) (*keySet, error) {
	var form struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := strict.Unmarshal(data, &form); err != nil {
		return nil, errors.New("it is no JSON Web Key Set")
	}
	if len(form.Keys) > maxKeys {
		return nil, fmt.Errorf("the JSON Web Key Set holds %d keys; %d are the most", len(form.Keys), maxKeys)
	}
	set, named := &keySet{digest: sha256.Sum256(data)}, map[string]int{}
	for _, raw := range form.Keys {
		k, ok := parseKey(raw)
		if !ok {
			continue
		}
		if named[k.kid]++; k.kid == "" || named[k.kid] <= maxSameKid {
			set.keys = append(set.keys, k)
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("the JSON Web Key Set holds no public key for signatures")
	}
	return set, nil
}

func parseKey(raw jsontext.Value) (publicKey, bool) {
	var form jwkForm
	if strict.Unmarshal(raw, &form) != nil || form.D != nil || form.K != nil {
		return publicKey{}, false
	}
	if form.Use != "" && form.Use != "sig" || len(form.KeyOps) > 0 && !slices.Contains(form.KeyOps, "verify") {
		return publicKey{}, false
	}
	plain, err := json.Marshal(form)
	var key jose.JSONWebKey
	if err != nil || key.UnmarshalJSON(plain) != nil {
		return publicKey{}, false
	}
	k := publicKey{kid: form.Kid, algorithms: algorithmsOf(key.Key), key: key.Key}
	if form.Alg != "" {
		k.algorithms = slices.DeleteFunc(k.algorithms, func(a jose.SignatureAlgorithm) bool { return string(a) != form.Alg })
	}
	return k, len(k.algorithms) > 0
}

// algorithmsOf are those a key is good for. That each key has its own keeps a JWT from choosing how its signature is read.
func algorithmsOf(key any) []jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSABits {
			return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
		}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return []jose.SignatureAlgorithm{jose.ES256}
		case 384:
			return []jose.SignatureAlgorithm{jose.ES384}
		case 521:
			return []jose.SignatureAlgorithm{jose.ES512}
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}
