package validator

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// Read reads a settings file, in YAML, and returns the validators in its order.
//
//	allowHosts: [checks.example.com]            # whom a url may name
//	validators:
//	  - name: capacity                          # once in the file
//	    command: [/usr/local/bin/check-capacity, --strict]
//	    environment: {REGION: eu}               # beside PATH, LANG and HOME
//	    environments: [prod]                    # all without it
//	    timeout: 10s                            # 100ms to 30s; 5s for a command, 3s for a url
//	  - name: quota
//	    url: https://checks.example.com/v1/config
//	    tokenFile: /etc/trunkline/quota.token   # sent as a bearer token, read at each use
//	    insecure: true                          # plain http may leave the machine
//	    reveal: true                            # sensitive values are not redacted
//
// The error names every mistake with its line and what to write instead. Whether programs, hosts and tokens are there is not
// looked at: a server must start without them, and a validator that cannot be asked has no answer.
func Read(file string) ([]compile.Validator, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("validators: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err != nil {
		return nil, fmt.Errorf("validators: %w", err)
	}
	return Parse(file, data)
}

// Parse is [Read] of what a file holds.
func Parse(file string, data []byte) ([]compile.Validator, error) {
	doc, problems := document.Decode(&value.File{Path: file}, document.YAML, data, document.Limits{MaxBytes: maxSettings})
	r := &reader{names: map[string]bool{}, turns: make(chan struct{}, maxTurns)}
	for _, p := range problems {
		if !p.Warning {
			r.mistakes = append(r.mistakes, mistake{value.Pos{File: file, Line: p.Line, Column: p.Column}, p.Message + "; " + p.Hint})
		}
	}
	var validators []compile.Validator
	if doc != nil {
		validators = r.file(doc)
	}
	if len(r.mistakes) > 0 {
		return nil, r.err()
	}
	return validators, nil
}

// mistake is one thing to mend in the settings.
type mistake struct {
	at   value.Pos
	text string
}

// reader turns a document into validators and collects what is wrong with it.
type reader struct {
	hosts    []string
	names    map[string]bool
	turns    chan struct{}
	mistakes []mistake
}

// wrong notes what stands at a place, and what to write there.
func (r *reader) wrong(at *value.Value, write, format string, args ...any) {
	r.mistakes = append(r.mistakes, mistake{at.Pos(), fmt.Sprintf(format, args...) + "; " + write})
}

func (r *reader) err() error {
	slices.SortStableFunc(r.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column))
	})
	errs := make([]error, len(r.mistakes))
	for i, m := range r.mistakes {
		errs[i] = fmt.Errorf("%s: %s", m.at, m.text)
	}
	return errors.Join(errs...)
}

var (
	fileKeys    = []string{"allowHosts", "validators"}
	commonKeys  = []string{"name", "environments", "timeout", "reveal"}
	commandKeys = append([]string{"command", "environment"}, commonKeys...)
	serviceKeys = append([]string{"url", "tokenFile", "insecure"}, commonKeys...)
)

func (r *reader) file(doc *value.Value) []compile.Validator {
	r.known(doc, fileKeys)
	r.hosts = r.allowed(doc)
	list, _ := doc.Get("validators")
	switch {
	case list == nil:
		return nil
	case list.Kind() != value.List:
		r.wrong(list, "write each under it with a dash, as - name: capacity", "validators is %s", list.Kind().Article())
		return nil
	case list.Len() > maxValidators:
		r.wrong(list, "join some of them", "there are %d validators, more than %d", list.Len(), maxValidators)
		return nil
	}
	var validators []compile.Validator
	for _, e := range list.Entries() {
		if e.Value.Kind() != value.Map {
			r.wrong(e.Value, "write its name and its command or url", "a validator is %s", e.Value.Kind().Article())
			continue
		}
		validators = append(validators, r.validator(e.Value))
	}
	return validators
}

// validator reads one entry; it is used only if nothing is wrong with it.
func (r *reader) validator(at *value.Value) *validator {
	v := &validator{
		name: r.name(at), environments: r.environments(at), timeout: commandTimeout, reveal: r.flag(at, "reveal"), turns: r.turns,
	}
	_, runs := at.Get("command")
	_, posts := at.Get("url")
	switch {
	case runs == posts:
		r.known(at, append(slices.Clone(commandKeys), serviceKeys...))
		r.wrong(at, "write either command or url", "a validator must have one way to be asked")
	case runs:
		r.known(at, commandKeys)
		v.asker = &command{argv: r.argv(at), env: append(slices.Clone(environment), r.variables(at)...)}
	default:
		r.known(at, serviceKeys)
		v.timeout = urlTimeout
		v.asker = newService(r.url(at), r.tokenFile(at))
	}
	v.timeout = r.timeout(at, v.timeout)
	return v
}

var (
	validatorName   = regexp.MustCompile(`^[a-z][A-Za-z0-9-]{0,62}$`)
	environmentName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	variableName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (r *reader) name(in *value.Value) string {
	const write = "write name: and a word of letters, digits and -, beginning with a small letter, at most 63"
	v, ok := in.Get("name")
	switch {
	case !ok:
		r.wrong(in, write, "a validator has no name")
		return ""
	case !validatorName.MatchString(v.Str()):
		r.wrong(v, write, "%s cannot name a validator", shown(v))
	case r.names[v.Str()]:
		r.wrong(v, "give each its own", "two validators have the name %s", v.Str())
	}
	r.names[v.Str()] = true
	return v.Str()
}

func (r *reader) environments(in *value.Value) []string {
	v, ok := in.Get("environments")
	if !ok {
		return nil
	}
	names := r.texts(v, "environments", "[prod]")
	if v.Kind() == value.List && v.Len() == 0 {
		r.wrong(v, "remove the line to have it asked about all", "environments names none")
	}
	for _, name := range names {
		if !environmentName.MatchString(name) {
			r.wrong(v, "write names as the manifest does", "%q is no name of an environment", name)
		}
	}
	return names
}

func (r *reader) timeout(in *value.Value, otherwise time.Duration) time.Duration {
	v, ok := in.Get("timeout")
	if !ok {
		return otherwise
	}
	d, err := value.ParseDuration(v.Str())
	if err != nil || d < minTimeout || d > maxTimeout {
		r.wrong(v, fmt.Sprintf("write %s to %s, as timeout: 5s", minTimeout, maxTimeout), "timeout is %s", shown(v))
	}
	return d
}

func (r *reader) argv(in *value.Value) []string {
	v, _ := in.Get("command")
	const example = "[/usr/local/bin/check, --strict]"
	argv := r.texts(v, "command", example)
	if v.Kind() == value.List && (len(argv) == 0 || !filepath.IsAbs(argv[0])) {
		r.wrong(v, "begin it with the path of a program, as command: "+example, "command does not begin with an absolute path")
	}
	return argv
}

func (r *reader) variables(in *value.Value) []string {
	v, ok := in.Get("environment")
	if !ok {
		return nil
	}
	if v.Kind() != value.Map {
		r.wrong(v, "write environment: {REGION: eu}", "environment is %s", v.Kind().Article())
		return nil
	}
	var variables []string
	for _, e := range v.Entries() {
		switch {
		case !variableName.MatchString(e.Key):
			r.wrong(e.Value, "use letters, digits and _", "%q cannot name a variable", e.Key)
		case e.Value.Kind() != value.String:
			r.wrong(e.Value, "quote it", "the variable %s is %s and not a string", e.Key, e.Value.Kind().Article())
		}
		variables = append(variables, e.Key+"="+e.Value.Str())
	}
	return variables
}
