// Package webhook receives the announcements of Git hosts and answers one
// question about each: is this genuine, and does it concern our branch?
//
// Call [NewGitHub] and mount what it returns at POST /webhook/github. For a
// genuine push to the followed branch it calls Options.Hint once and then
// answers, before anything is fetched. A hint only says "look": nothing of
// the payload goes further, so a delivery that is repeated does no harm, and
// one that is lost, too large or refused is made up for by the poll.
//
// Nothing of a body is parsed before its signature has been checked. Senders
// without the secret learn only that they lack it.
package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
)

// Options configure a receiver.
type Options struct {
	// Secret returns the secret shared with the sender. It is asked for each
	// delivery, so that it may come from a file that is rotated. Line ends
	// after it are not part of it. It must be safe for concurrent use.
	Secret func() ([]byte, error)

	// Remote is the followed remote: a URL, host:path, or a local path.
	Remote string

	// Branch is the followed branch, such as main.
	Branch string

	// Hint is called for every genuine push to Branch of Remote, from the
	// request's goroutine and before the answer: it must not block.
	Hint func()

	// Log takes refusals and hints; nil discards them.
	Log *slog.Logger

	// Observe, if set, is told of every delivery. Both arguments come from
	// small fixed sets: event is "push", "ping" or "other", outcome one of
	// the Outcome constants.
	Observe func(event, outcome string)

	// Refused, if set, is told of each request that is not signed as it must be, or larger than it may be, by its outcome.
	Refused func(r *http.Request, outcome string)
}

// What became of a delivery, as told to Options.Observe.
const (
	OutcomeAccepted          = "accepted"          // a push of ours: hinted
	OutcomePong              = "pong"              // a ping, answered
	OutcomeIgnoredEvent      = "ignoredEvent"      // genuine, but neither push nor ping
	OutcomeIgnoredRef        = "ignoredRef"        // another branch, a tag, or a deletion
	OutcomeIgnoredRepository = "ignoredRepository" // a repository that is not followed
	OutcomeUnauthorized      = "unauthorized"      // signature missing, malformed or wrong
	OutcomeInvalid           = "invalid"           // signed, but not a payload
	OutcomeUnsupportedType   = "unsupportedType"   // signed, but neither JSON nor a form
	OutcomeTooLarge          = "tooLarge"          // over 1 MiB
	OutcomeIncomplete        = "incomplete"        // the body broke off
	OutcomeMethod            = "method"            // not a POST
	OutcomeUnavailable       = "unavailable"       // our secret cannot be read
)

// check returns o with its defaults, or what is missing from it.
func (o Options) check() (Options, error) {
	if o.Secret == nil {
		return o, errNoSecret
	}
	if _, err := readSecret(o.Secret); err != nil {
		return o, err
	}
	if o.Hint == nil {
		return o, errors.New("webhook: no Hint to call")
	}
	o.Branch = strings.TrimPrefix(o.Branch, "refs/heads/")
	if o.Branch == "" {
		return o, errors.New("webhook: no branch is followed: set --branch")
	}
	remote, err := absolute(strings.TrimSpace(o.Remote))
	if err != nil {
		return o, err
	}
	if o.Remote = Normalise(remote); o.Remote == "" {
		return o, errors.New("webhook: the remote names no repository: set --repo to a URL, host:path or local path")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, string) {}
	}
	if o.Refused == nil {
		o.Refused = func(*http.Request, string) {}
	}
	return o, nil
}

// absolute completes a relative path, since no sender knows our working
// directory.
func absolute(remote string) (string, error) {
	if remote == "" || !isPath(remote) {
		return remote, nil
	}
	path, err := filepath.Abs(remote)
	if err != nil {
		return "", fmt.Errorf("webhook: remote %s: %w", remote, err)
	}
	return path, nil
}

var errNoSecret = errors.New("webhook: the secret is empty: " + setSecret)

const setSecret = "set TRUNKLINE_WEBHOOK_SECRET or --webhook-secret-file to what the sender signs with, " +
	"for example the output of `openssl rand -hex 32`"

// readSecret never returns an empty secret: HMAC would take one, and so would
// anyone's signature made with it.
func readSecret(secret func() ([]byte, error)) ([]byte, error) {
	s, err := secret()
	if err != nil {
		return nil, fmt.Errorf("webhook: read the secret: %w", err)
	}
	s = bytes.TrimRight(s, "\r\n")
	switch {
	case len(bytes.TrimSpace(s)) == 0:
		return nil, errNoSecret
	case len(s) < minSecret:
		return nil, fmt.Errorf("webhook: the secret has %d bytes, fewer than %d: %s", len(s), minSecret, setSecret)
	}
	return s, nil
}

// reply is what a genuine sender is told. GitHub shows it beside the delivery
// in the webhook's settings.
type reply struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

type failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func fail(code, message string) failure {
	var f failure
	f.Error.Code, f.Error.Message = code, message
	return f
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// An error here means that the sender has gone; nothing is left to do.
	_ = json.NewEncoder(w).Encode(body)
}
