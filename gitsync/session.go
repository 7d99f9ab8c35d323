package gitsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// session is one conversation with a remote: it lists, and then it may deliver one pack. Listing and fetching in one session
// spares a second listing, and fetches from the very state that was listed.
type session interface {
	AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error)
	UploadPack(context.Context, *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	Close() error
}

// dialer begins sessions. Everything a session does ends with ctx.
type dialer interface {
	dial(ctx context.Context) (session, error)
	// close lets go of connections kept for the next session.
	close()
}

func newDialer(a address, o Options) (dialer, error) {
	switch a.Protocol {
	case "http", "https":
		return newHTTP(a, o.Token)
	case "ssh":
		return newSSH(a, o)
	default:
		return local{path: a.Path}, nil
	}
}

// wants asks for the whole history of want that haves do not cover: no depth, no tags. A shallow fetch is not incremental in
// go-git, and loses what lies between two heads.
func wants(refs *packp.AdvRefs, want Hash, haves []Hash, azure bool) (*packp.UploadPackRequest, error) {
	req := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	req.Wants = append(req.Wants, plumbing.Hash(want))
	for _, h := range haves {
		req.Haves = append(req.Haves, plumbing.Hash(h))
	}
	if refs.Capabilities.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return nil, fmt.Errorf("ask for no progress: %w", err)
		}
	}
	if azure {
		// go-git never asks for multi_ack. Azure DevOps refuses whoever does not; its answers are read all the same, for we
		// send everything in one round.
		if err := req.Capabilities.Set(capability.MultiACKDetailed); err != nil {
			return nil, fmt.Errorf("ask for multi_ack: %w", err)
		}
	}
	return req, nil
}

// demux takes the pack out of what the remote sends beside it.
func demux(req *packp.UploadPackRequest, r io.Reader) io.Reader {
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case req.Capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	default:
		return r
	}
}

var (
	errSilent   = errors.New("the remote fell silent")
	errTooSlow  = errors.New("the remote took too long")
	errTooLarge = errors.New("the remote sent more than the limit")
)

// watched reads from a remote that may fall silent: then it cancels, and what waits for the remote returns.
type watched struct {
	from   io.Reader
	timer  *time.Timer
	silent time.Duration
	bytes  atomic.Int64
}

// watch returns a context that ends when nothing was read for the given time, and what attaches a reader to it.
func watch(ctx context.Context, silent time.Duration) (context.Context, *watched, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watched{silent: silent}
	w.timer = time.AfterFunc(silent, func() { cancel(fmt.Errorf("%w for %s", errSilent, silent)) })
	return ctx, w, func() { w.timer.Stop(); cancel(nil) }
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if n > 0 {
		w.timer.Reset(w.silent)
	}
	if w.bytes.Add(int64(n)) > maxPack {
		return n, errTooLarge
	}
	return n, err
}

// because prefers the reason why a context ended over what its end looks like from below.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}
