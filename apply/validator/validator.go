// Package validator asks the operator's own validators, programs and HTTP services, about what is to go live.
//
// [Read] makes them from a settings file, each a [compile.Validator]. They hold nothing between two questions and need not be
// closed. They may be used from several goroutines: those of one file ask eight questions at a time, and others wait for their
// turn. A question that is asked ends within the validator's timeout, whatever is done to it.
//
// The question is JSON, an object of
//
//	version      1
//	environment  its name
//	commit       id, author, email, subject, message and coAuthors; null where files are judged that are no commit
//	rollback     whether the commit restores exactly the content of an earlier valid version
//	values       the configuration
//	baseline     that of the newest valid ancestor; null without one
//
// and values that are sensitive stand in it redacted, unless the settings say reveal. The answer is JSON as well:
//
//	{"verdict": "rejected", "problems": [{"severity": "error", "path": "web.pool", "rule": "capacity", "message": "…", "hint": "…"}]}
//
// The verdict is valid, rejected or pending; only the message of a problem is required. An answer with other keys or other kinds,
// a pending one, a valid one that names an error, one that comes too late or is too large: each is an error of Validate, which
// says that there is no answer. Nothing is concealed of what a validator says: whoever may see problems reads it, so it must not
// repeat sensitive values.
package validator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
)

// asker carries a question to where it is answered. It gives up when the context ends, with [context.Cause].
type asker interface {
	ask(ctx context.Context, question []byte) (answer []byte, err error)
	// String tells what is asked, without secrets.
	String() string
}

// validator is one of the settings.
type validator struct {
	asker
	name         string
	timeout      time.Duration
	environments []string // nil: all
	reveal       bool
	turns        chan struct{} // of all validators of a file: one is taken for each question
}

func (v *validator) Name() string { return v.name }

// Validate asks, unless the environment is none of those the validator is for: that one is valid.
func (v *validator) Validate(ctx context.Context, c compile.Candidate) ([]compile.Problem, error) {
	if v.environments != nil && !slices.Contains(v.environments, c.Environment) {
		return nil, nil
	}
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	q := question(c, v.reveal)
	ctx, cancel := context.WithTimeoutCause(ctx, v.timeout, fmt.Errorf("it took longer than %s", v.timeout))
	defer cancel()
	answer, err := v.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	return v.read(answer)
}

func (v *validator) String() string {
	text := v.asker.String()
	if v.environments != nil {
		text += " for " + strings.Join(v.environments, ", ")
	}
	if v.reveal {
		text += ", sees sensitive values"
	}
	return text
}

// Describe tells by name what each validator is, for the record of settings: the program or the host, the environments, and
// whether it sees sensitive values. Arguments, variables and paths of URLs are left out, for they may be secrets.
func Describe(validators []compile.Validator) map[string]string {
	described := make(map[string]string, len(validators))
	for _, v := range validators {
		described[v.Name()] = fmt.Sprint(v)
	}
	return described
}
