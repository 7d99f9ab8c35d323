package webhook

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"
)

// GitHub receives the webhook deliveries of GitHub. It is an [http.Handler],
// safe for concurrent use.
//
// It answers 202 to a push, whether it concerns us or not, and to events it
// does not know, 200 to a ping, 401 to what is not signed with HMAC-SHA256 by
// the shared secret, 405 to other methods than POST, 413 to a body over 1 MiB,
// 415 to one that is neither JSON nor a form, 400 to one that cannot be read,
// and 503 while the secret cannot be read. Bodies are JSON.
type GitHub struct {
	options Options
	ref     string
}

// NewGitHub checks the options. A secret that is empty or shorter than 16
// bytes is an error that says what to set.
func NewGitHub(o Options) (*GitHub, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	return &GitHub{options: o, ref: "refs/heads/" + o.Branch}, nil
}

func (g *GitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	outcome := g.receive(w, r)
	event := eventLabel(r)
	g.options.Observe(event, outcome)
	if outcome == OutcomeUnauthorized || outcome == OutcomeTooLarge {
		g.options.Refused(r, outcome)
	}
	g.options.Log.LogAttrs(r.Context(), level(outcome), "webhook delivery",
		slog.String("component", "webhook"), slog.String("event", event), slog.String("outcome", outcome),
		slog.String("delivery", deliveryID(r)))
}

// receive answers one delivery. The order matters: nothing is parsed, and
// nothing told, before the signature has been checked.
func (g *GitHub) receive(w http.ResponseWriter, r *http.Request) (outcome string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, fail("methodNotAllowed", "deliveries are posted"))
		return OutcomeMethod
	}
	body, outcome := g.genuine(w, r)
	if outcome != "" {
		return outcome
	}
	event := eventLabel(r)
	if event == "other" {
		answer(w, http.StatusAccepted, reply{"ignored", "other event"})
		return OutcomeIgnoredEvent
	}
	p, outcome := parse(w, r, body)
	switch {
	case outcome != "":
		return outcome
	case event == "ping":
		return g.ping(w, p)
	default:
		return g.push(w, p)
	}
}

const sha256Prefix = "sha256="

// genuine returns the body of a request that bears a good signature. For any
// other it answers and says why.
func (g *GitHub) genuine(w http.ResponseWriter, r *http.Request) (body []byte, outcome string) {
	signature := r.Header.Get(github.SHA256SignatureHeader)
	if !strings.HasPrefix(signature, sha256Prefix) {
		return nil, unauthorized(w)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		answer(w, http.StatusRequestEntityTooLarge, fail("tooLarge", "the body is larger than 1 MiB; the poll will find the push"))
		return nil, OutcomeTooLarge
	}
	if err != nil {
		answer(w, http.StatusBadRequest, fail("incomplete", "the body could not be read"))
		return nil, OutcomeIncomplete
	}
	secret, err := readSecret(g.options.Secret)
	if err != nil {
		g.options.Log.ErrorContext(r.Context(), "webhook delivery", "component", "webhook", "err", err)
		answer(w, http.StatusServiceUnavailable, fail("unavailable", "deliveries cannot be checked now"))
		return nil, OutcomeUnavailable
	}
	// ValidateSignature compares in constant time. It would take SHA-1 and
	// SHA-512 too, hence the prefix above.
	if github.ValidateSignature(signature, body, secret) != nil {
		return nil, unauthorized(w)
	}
	return body, ""
}

// unauthorized gives the same answer whatever was wrong.
func unauthorized(w http.ResponseWriter) string {
	answer(w, http.StatusUnauthorized, fail("unauthorized", "the delivery is not signed as it must be"))
	return OutcomeUnauthorized
}

// payload is the little of a push or a ping that is used.
//
// github.PushEvent is not: it refuses genuine pushes over fields that do not
// matter here, such as a custom property of a repository that is a list.
type payload struct {
	Ref        string     `json:"ref"`
	Deleted    bool       `json:"deleted"`
	Repository repository `json:"repository"`
}

type repository struct {
	CloneURL string `json:"clone_url"`
	SSHURL   string `json:"ssh_url"`
	GitURL   string `json:"git_url"`
	HTMLURL  string `json:"html_url"`
	URL      string `json:"url"`
}

// is reports whether one of the repository's addresses is the remote, which
// is in its normal form.
func (r repository) is(remote string) bool {
	for _, address := range []string{r.CloneURL, r.SSHURL, r.GitURL, r.HTMLURL, r.URL} {
		if Normalise(address) == remote {
			return true
		}
	}
	return false
}

// parse reads a signed body in either of the two forms GitHub sends.
func parse(w http.ResponseWriter, r *http.Request, body []byte) (p payload, outcome string) {
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch contentType {
	case "application/json":
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			answer(w, http.StatusBadRequest, fail("invalid", "the body is not a form"))
			return p, OutcomeInvalid
		}
		body = []byte(form.Get("payload"))
	default:
		answer(w, http.StatusUnsupportedMediaType, fail("unsupportedType", "set the webhook's content type to application/json"))
		return p, OutcomeUnsupportedType
	}
	if err := json.Unmarshal(body, &p); err != nil {
		answer(w, http.StatusBadRequest, fail("invalid", "the payload is not the JSON of such an event"))
		return p, OutcomeInvalid
	}
	return p, ""
}

// ping tells whoever sets up the webhook whether it is set up for us. The
// ping of an organization's webhook names no repository.
func (g *GitHub) ping(w http.ResponseWriter, p payload) string {
	pong := reply{Status: "pong"}
	if p.Repository != (repository{}) && !p.Repository.is(g.options.Remote) {
		pong.Reason = "another repository is followed here"
	}
	answer(w, http.StatusOK, pong)
	return OutcomePong
}

func (g *GitHub) push(w http.ResponseWriter, p payload) string {
	switch {
	case !p.Repository.is(g.options.Remote):
		answer(w, http.StatusAccepted, reply{"ignored", "other repository"})
		return OutcomeIgnoredRepository
	case p.Ref != g.ref || p.Deleted:
		answer(w, http.StatusAccepted, reply{"ignored", "other branch, tag or deletion"})
		return OutcomeIgnoredRef
	}
	// First the hint: the answer may take as long as the sender likes.
	g.options.Hint()
	answer(w, http.StatusAccepted, reply{Status: "accepted"})
	return OutcomeAccepted
}

// eventLabel bounds the event's name, which a stranger may choose.
func eventLabel(r *http.Request) string {
	switch event := r.Header.Get(github.EventTypeHeader); event {
	case "push", "ping":
		return event
	}
	return "other"
}

func deliveryID(r *http.Request) string {
	id := r.Header.Get(github.DeliveryIDHeader)
	return id[:min(len(id), maxDelivery)]
}

// level keeps what needs no secret to send out of the log at its usual level:
// strangers could fill it. The metric counts them.
func level(outcome string) slog.Level {
	switch outcome {
	case OutcomeAccepted, OutcomePong:
		return slog.LevelInfo
	case OutcomeInvalid, OutcomeUnsupportedType:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}
