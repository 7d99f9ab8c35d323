package access

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// The algorithms that may be allowed. Those with a shared secret are not among them, and none is none.
var (
	signatures = []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
	usualSignatures = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}
)

type jwtForm struct {
	Providers []providerForm `json:"providers"`
}

type providerForm struct {
	Issuer     string                    `json:"issuer"`
	Audiences  []string                  `json:"audiences"`
	JWKS       jwksForm                  `json:"jwks"`
	Algorithms []jose.SignatureAlgorithm `json:"algorithms"`
	Leeway     string                    `json:"leeway"`
	Require    map[string]matchersForm   `json:"require"`
	Rules      []ruleForm                `json:"rules"`
}

type jwksForm struct {
	URL       string `json:"url"`
	File      string `json:"file"`
	CAFile    string `json:"caFile"`
	TokenFile string `json:"tokenFile"`
}

type ruleForm struct {
	When  map[string]matchersForm `json:"when"`
	Name  string                  `json:"name"`
	Grant Grant                   `json:"grant"`
}

// provider is one issuer that is trusted.
type provider struct {
	issuer     string
	audiences  []string
	algorithms []jose.SignatureAlgorithm
	leeway     time.Duration
	require    []condition
	rules      []rule
	keys       *keySource
	form       *value.Value // as the file has it
	prefix     string       // of names, which are an issuer's own: where there are several, that tells theirs apart
}

// keyLocation is where an issuer's keys are.
type keyLocation struct{ url, file, caFile, tokenFile string }

// readProviders reads the settings, and tells which file it was. keys is asked for the source of each provider's keys.
func readProviders(file string, keys func(issuer string, at keyLocation) *keySource) (map[string]*provider, os.FileInfo, error) {
	data, info, err := readFile(file, maxSettings, func(info os.FileInfo) error {
		if !guarded(info) {
			return errors.New("everybody may write it: chmod o-w")
		}
		return nil
	})
	if err == nil && info == nil {
		err = errors.New("there is no such file")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("JWT settings: %s: %w", file, err)
	}
	providers, err := parseProviders(file, data, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("JWT settings: %w", err)
	}
	return providers, info, nil
}

func parseProviders(file string, data []byte, keys func(issuer string, at keyLocation) *keySource) (map[string]*provider, error) {
	format := document.FormatOf(file)
	if format == document.Unknown {
		return nil, fmt.Errorf("%s: its name ends in none of .yaml, .json and .toml", file)
	}
	root, problems := document.Decode(&value.File{Path: file}, format, data, document.Limits{MaxBytes: maxSettings, MaxNodes: maxSettings})
	if root == nil {
		p := problems[slices.IndexFunc(problems, func(p document.Problem) bool { return !p.Warning })]
		return nil, fmt.Errorf("%s:%d:%d: %s", file, p.Line, p.Column, p.Message)
	}
	var form jwtForm
	err := readForm(root.AppendJSON(nil), &form)
	if err == nil {
		var providers map[string]*provider
		if providers, err = form.providers(filepath.Dir(file), keys); err == nil {
			list, _ := root.Get("providers")
			for n, e := range list.Entries() { // one for each, or it would be an error
				providers[form.Providers[n].Issuer].form = e.Value
			}
			return providers, nil
		}
	}
	return nil, located(root, err)
}

// located puts the place in the file before an error.
func located(root *value.Value, err error) error {
	at := root.Pos()
	var wrong *formError
	if errors.As(err, &wrong) {
		path, _ := value.ParsePath(wrong.pointer)
		for n := range path {
			if v, ok := root.At(path[:n+1]); ok {
				at = v.Pos()
			}
		}
	}
	return fmt.Errorf("%s: %w", at, err)
}

func (f *jwtForm) providers(dir string, keys func(issuer string, at keyLocation) *keySource) (map[string]*provider, error) {
	if len(f.Providers) == 0 || len(f.Providers) > maxProviders {
		return nil, &formError{"/providers", fmt.Errorf("there must be 1 to %d", maxProviders)}
	}
	providers := map[string]*provider{}
	for n, form := range f.Providers {
		p, err := form.provider()
		if err == nil && providers[p.issuer] != nil {
			err = &formError{"/issuer", errors.New("an earlier provider has the same: put the rules of both under one")}
		}
		if err != nil {
			return nil, within(fmt.Sprintf("/providers/%d", n), err)
		}
		providers[p.issuer] = p
	}
	if len(providers) > 1 {
		for issuer, p := range providers {
			p.prefix = issuer + "#" // which no issuer of OpenID Connect holds
		}
	}
	for n, form := range f.Providers { // once all is good: a source begins to be read from
		at, err := form.JWKS.location(dir)
		if err != nil {
			return nil, within(fmt.Sprintf("/providers/%d/jwks", n), err)
		}
		providers[form.Issuer].keys = keys(form.Issuer, at)
	}
	return providers, nil
}

// within prefixes the place of an error.
func within(pointer string, err error) error {
	var inner *formError
	if errors.As(err, &inner) {
		return &formError{pointer + inner.pointer, inner.what}
	}
	return &formError{pointer, err}
}

func (f *providerForm) provider() (*provider, error) {
	p := &provider{issuer: f.Issuer, audiences: f.Audiences, algorithms: f.Algorithms, leeway: usualLeeway}
	if f.Issuer == "" {
		return nil, errors.New("it has no issuer")
	}
	if len(f.Audiences) == 0 || len(f.Audiences) > maxAudiences || slices.Contains(f.Audiences, "") {
		return nil, &formError{"/audiences", fmt.Errorf("there must be 1 to %d, none empty: a JWT that is meant for others would be good here", maxAudiences)}
	}
	if len(p.algorithms) == 0 {
		p.algorithms = usualSignatures
	}
	for n, a := range p.algorithms {
		if !slices.Contains(signatures, a) {
			return nil, &formError{fmt.Sprintf("/algorithms/%d", n), fmt.Errorf("it must be one of %s", strings.Trim(fmt.Sprint(signatures), "[]"))}
		}
	}
	var err error
	if f.Leeway != "" {
		if p.leeway, err = value.ParseDuration(f.Leeway); err != nil || p.leeway < 0 || p.leeway > maxLeeway {
			return nil, &formError{"/leeway", fmt.Errorf("it must be a duration from 0s to %s", maxLeeway)}
		}
	}
	if p.require, err = conditions(f.Require); err != nil {
		return nil, within("/require", err)
	}
	p.rules, err = f.rules()
	return p, err
}

func (f *providerForm) rules() ([]rule, error) {
	if len(f.Rules) == 0 || len(f.Rules) > maxRules {
		return nil, &formError{"/rules", fmt.Errorf("there must be 1 to %d: without one nothing is granted", maxRules)}
	}
	var rules []rule
	for n, form := range f.Rules {
		r, err := form.rule()
		if err != nil {
			return nil, within(fmt.Sprintf("/rules/%d", n), err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func (f *ruleForm) rule() (r rule, err error) {
	if len(f.When) == 0 {
		return r, errors.New("it has no when: everybody to whom the issuer gives JWTs would meet it")
	}
	if r.when, err = conditions(f.When); err != nil {
		return r, within("/when", err)
	}
	name := f.Name
	if name == "" {
		name = "{sub}"
	}
	if r.name, err = parseTemplate(name); err != nil {
		return r, within("/name", err)
	}
	r.grant = f.Grant
	if r.grant.Key() == "" {
		return r, errors.New("it has no grant")
	}
	return r, nil
}

// location checks where keys are. Files are relative to the directory of the settings.
func (f jwksForm) location(dir string) (keyLocation, error) {
	file := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	at := keyLocation{f.URL, file(f.File), file(f.CAFile), file(f.TokenFile)}
	switch {
	case (f.URL == "") == (f.File == ""):
		return at, errors.New("there must be a url or a file")
	case f.URL == "" && (f.CAFile != "" || f.TokenFile != ""):
		return at, errors.New("caFile and tokenFile belong to a url")
	case f.URL != "" && !fetchable(f.URL):
		return at, &formError{"/url", errors.New("it must be an https URL without a user; http serves for this machine alone")}
	}
	return at, nil
}

// fetchable tells whether keys may come from a URL: who can change them on their way can make any JWT.
func fetchable(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Hostname() == "" || u.Fragment != "" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback())
}
