package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline"
)

const (
	identities  = 200 // each may ask 1,000 times a second
	floodLasts  = 3 * time.Second
	floodRounds = 5
	readerEvery = 5 * time.Millisecond
)

// token makes a token by the operator's own.
func (p *process) token(ctx context.Context, name, grant string) (string, error) {
	operator, err := os.ReadFile(filepath.Join(p.data, "operator.token"))
	if err != nil {
		return "", err
	}
	body := fmt.Sprintf(`{"name": %q, "grant": %s}`, name, grant)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/tokens", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(operator)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || made.Token == "" {
		return "", errors.Join(fmt.Errorf("asked for a token, the server answers %s", res.Status), err)
	}
	return made.Token, nil
}

// tokens makes so many tokens, each with a name and a grant of its own.
func (p *process) tokens(ctx context.Context, name string, n int, grant func(i int) string) ([]string, error) {
	var all []string
	for i := range n {
		token, err := p.token(ctx, fmt.Sprintf("%s-%d", name, i), grant(i))
		if err != nil {
			return nil, err
		}
		all = append(all, token)
	}
	return all, nil
}

// credentials measures what a credential costs a read, what one caller's flood costs another, and what the rotation of an issuer's
// keys costs its JWTs.
func (s *suite) credentials(ctx context.Context) error {
	dir := filepath.Join(s.dir, "credentials")
	r, err := newRemote(ctx, dir, func(work string) error { return os.CopyFS(work, trunkline.Shop()) })
	if err != nil {
		return err
	}
	defer r.server.Close()
	i, err := newIssuer()
	if err != nil {
		return err
	}
	defer i.server.Close()
	settings, err := i.settings(dir)
	if err != nil {
		return err
	}
	p, err := s.start(ctx, filepath.Join(dir, "data"), "--repo", r.url(), "--poll", "10m", "--jwt-file", settings)
	if err != nil {
		return err
	}
	for _, measure := range []func(context.Context, *process, *issuer) error{s.rotation, s.shares, s.flood} {
		if err := measure(ctx, p, i); err != nil {
			return errors.Join(err, p.stop())
		}
	}
	return p.stop()
}

// shares measures, in turns, reads with each kind of credential.
func (s *suite) shares(ctx context.Context, p *process, i *issuer) error {
	bare, err := s.startBare(ctx, nil)
	if err != nil {
		return err
	}
	defer bare.stop()
	everything, err := p.tokens(ctx, "everything", identities, func(int) string { return `{"environments": ["*"], "patterns": ["**"]}` })
	if err != nil {
		return err
	}
	some, err := p.tokens(ctx, "some", identities, func(int) string { return `{"environments": ["prod"], "patterns": ["database.**", "checkout.ui.*"]}` })
	if err != nil {
		return err
	}
	jwts, err := i.sign(identities)
	if err != nil {
		return err
	}
	var by [3]reads
	for n, credentials := range [][]string{everything, some, jwts} {
		by[n] = readsOf(p, bare, credentials)
	}
	for range rounds {
		for n := range by {
			if err := by[n].round(); err != nil {
				return err
			}
		}
	}
	share := median(by[0].shares)
	s.add(row{
		what: "HTTP read with a token, share of a bare handler", measured: share, limit: 0.8, share: true,
		note: fmt.Sprintf("%d tokens in turn; %s", identities, by[0].note()),
	})
	s.add(row{what: "the same, granted a few patterns", measured: median(by[1].shares), limit: 0.8, share: true, note: by[1].note()})
	s.add(row{
		what: "the same with a JWT seen before", measured: median(by[2].shares), limit: share, share: true, compared: true,
		note: "beside the token; " + by[2].note(),
	})
	return nil
}

// flood measures the reads of one identity at a steady rate, while another asks as fast as it can and while it does not.
func (s *suite) flood(ctx context.Context, p *process, _ *issuer) error {
	tokens, err := p.tokens(ctx, "flood", 2, func(int) string { return `{"environments": ["prod"], "patterns": ["**"]}` })
	if err != nil {
		return err
	}
	addr := strings.TrimPrefix(p.url, "http://")
	flood, reader := requestsFor(addr, readPath, tokens[:1])[0], requestsFor(addr, readPath, tokens[1:])[0]
	read := func() (float64, error) {
		samples, err := pace(addr, int(floodLasts/readerEvery), readerEvery, func() []byte { return reader })
		if n := refusedOf(samples); err == nil && n > 0 {
			err = fmt.Errorf("%d reads of who keeps to the limit were refused", n)
		}
		return p99(samples), err
	}
	var calm, flooded, rates, refusals []float64
	for range floodRounds {
		before, err := read()
		if err != nil {
			return err
		}
		var answers, refused int
		var failed error
		var flooding sync.WaitGroup
		flooding.Go(func() { answers, refused, failed = floodWith(addr, flood) })
		during, err := read()
		flooding.Wait()
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		calm, flooded = append(calm, before), append(flooded, during)
		rates, refusals = append(rates, float64(answers)/floodLasts.Seconds()), append(refusals, float64(refused)/float64(answers))
	}
	s.add(row{
		what: "p99 of a reader at 200/s while another identity floods", measured: median(flooded), limit: median(calm), compared: true, unit: "ms",
		note: fmt.Sprintf("%.0f/s on %d connections, %.0f %% refused; beside no flood; client on the same cores; median of %d rounds",
			median(rates), connections, 100*median(refusals), floodRounds),
	})
	return nil
}

// floodWith asks as fast as it can, and counts the answers and the refusals among them.
func floodWith(addr string, request []byte) (answers, refused int, err error) {
	var all [connections]struct {
		answers, refused int
		err              error
	}
	until := time.Now().Add(floodLasts)
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() {
			mine := &all[i]
			a, err := newAsker(addr)
			if err != nil {
				mine.err = err
				return
			}
			defer a.Close()
			for mine.err == nil && time.Now().Before(until) {
				var status int
				if status, mine.err = a.ask(request); status == http.StatusTooManyRequests {
					mine.refused++
				}
				mine.answers++
			}
		})
	}
	asking.Wait()
	for _, one := range all {
		answers, refused, err = answers+one.answers, refused+one.refused, errors.Join(err, one.err)
	}
	return answers, refused, err
}
