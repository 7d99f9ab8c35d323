package gitsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// stream is a session with git-upload-pack at the other end of two pipes. go-git's own cannot be cancelled while it connects,
// and leaves goroutines behind.
type stream struct {
	in     io.WriteCloser
	out    io.Reader
	stderr *tail
	listen func()       // waits, for a moment, until all of stderr came; may be nil
	stop   func() error // ends the other side and waits for it

	packed bool
	once   sync.Once
	ended  error
}

// AdvertisedReferencesContext reads the listing, which the other side sends unasked. The session ends with the context it was
// dialled with.
func (s *stream) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	err := refs.Decode(io.LimitReader(s.out, maxListing))
	if err == nil && refs.IsEmpty() || errors.Is(err, packp.ErrEmptyAdvRefs) {
		return nil, transport.ErrEmptyRemoteRepository
	}
	if err != nil {
		return nil, s.explain(err)
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	return refs, nil
}

// UploadPack asks for a pack.
func (s *stream) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if req.IsEmpty() {
		return nil, transport.ErrEmptyUploadPackRequest
	}
	if err := req.Validate(); err != nil {
		return nil, fmt.Errorf("ask for a pack: %w", err)
	}
	s.packed = true
	if err := s.ask(req); err != nil {
		return nil, s.explain(err)
	}
	res := packp.NewUploadPackResponse(req)
	if err := res.Decode(io.NopCloser(s.out)); err != nil {
		return nil, s.explain(err)
	}
	return res, nil
}

func (s *stream) ask(req *packp.UploadPackRequest) error {
	var b bytes.Buffer
	if err := req.UploadRequest.Encode(&b); err != nil {
		return err
	}
	if err := req.UploadHaves.Encode(&b, true); err != nil {
		return err
	}
	if err := pktline.NewEncoder(&b).EncodeString("done\n"); err != nil {
		return err
	}
	if _, err := s.in.Write(b.Bytes()); err != nil {
		return err
	}
	return s.in.Close()
}

// explain adds what the other side said beside the protocol: there stands why.
func (s *stream) explain(err error) error {
	_ = s.in.Close()
	if s.listen != nil {
		s.listen()
	}
	_ = s.Close()
	said := oneLine(s.stderr.String(), 200)
	lower := strings.ToLower(said)
	switch {
	case said == "":
		return err
	case strings.Contains(lower, "not found"), strings.Contains(lower, "does not appear to be a git repository"),
		strings.Contains(lower, "does not exist"):
		return fmt.Errorf("%w: %s", transport.ErrRepositoryNotFound, said)
	case strings.Contains(lower, "permission denied"), strings.Contains(lower, "access denied"):
		return fmt.Errorf("%w: %s", transport.ErrAuthorizationFailed, said)
	}
	return fmt.Errorf("the remote says %q: %w", said, err)
}

// Close ends the conversation politely if no pack was asked for, and waits for the other side.
func (s *stream) Close() error {
	s.once.Do(func() {
		if !s.packed {
			_, _ = s.in.Write(pktline.FlushPkt)
			_ = s.in.Close()
		}
		s.ended = s.stop()
	})
	return s.ended
}

// tail keeps the beginning of what is written to it, up to a limit.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := maxStderr - len(t.buf); room > 0 {
		t.buf = append(t.buf, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
