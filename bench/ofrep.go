package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	evaluatePath = "/ofrep/v1/evaluate/flags"
	asksFor      = 200 // units in turn
)

// overrideStory is a repository with flags, and experiments on some of them, of which one is changed again and again: it sets other values.
func overrideStory(changes int) story {
	t := story{file: "experiments/d000.json", others: map[string]string{"trunkline.yaml": "version: 1\nflags: [flags.**]\n"}}
	var flags bytes.Buffer
	for i := range resolvedPaths {
		fmt.Fprintf(&flags, "f%d: 0\n", i)
	}
	t.others["config/flags.yaml"] = flags.String()
	for i := range resolvingOver {
		t.others[fmt.Sprintf("layers/d%03d.json", i)] = layerText(i)
		t.others[fmt.Sprintf("experiments/d%03d.json", i)] = experimentText(i, 1, "")
	}
	for i := range changes + 1 {
		t.texts = append(t.texts, experimentText(0, 1+2*i, ""))
	}
	return t
}

// ofrep measures evaluations over HTTP, of one flag and of a hundred, for one unit after the other, beside a bare handler that answers with
// the same bytes.
func (s *suite) ofrep(ctx context.Context) error {
	f, err := s.follow(ctx, "ofrep", overrideStory(1))
	if err != nil {
		return err
	}
	defer f.stop() //nolint:errcheck // what it answered is measured
	single, err := s.evaluations(ctx, f.process, evaluatePath+"/flags.f7")
	if err != nil {
		return err
	}
	under := fmt.Sprintf("%d units in turn under %d experiments; ", asksFor, resolvingOver)
	s.add(row{what: "OFREP single, share of a bare handler", measured: median(single.shares), limit: 0.8, share: true, note: under + single.note()})
	bulk, err := s.evaluations(ctx, f.process, evaluatePath)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("OFREP bulk of %d", resolvedPaths)
	s.add(row{what: what, measured: median(bulk.ours), limit: 10_000, share: true, unit: "/s", note: under + bulk.note()})
	s.add(row{
		what: what + ", share of a bare handler", measured: median(bulk.shares), limit: median(single.shares), share: true, compared: true,
		note: "beside that of single; " + bulk.note(),
	})
	return nil
}

func (s *suite) evaluations(ctx context.Context, p *process, path string) (*reads, error) {
	answer, err := p.evaluate(ctx, path)
	if err != nil {
		return nil, err
	}
	bare, err := s.startBare(ctx, answer)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	r := &reads{server: asked{addr: p.addr(), requests: evaluationsFor(p.addr(), path)}, bare: asked{addr: bare.addr, requests: evaluationsFor(bare.addr, path)}}
	for range rounds {
		if err := r.round(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// evaluationsFor are the same question for each of the units.
func evaluationsFor(addr, path string) [][]byte {
	all := make([][]byte, asksFor)
	for i := range all {
		body := contextText(i)
		all[i] = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, addr, len(body), body)
	}
	return all
}

func contextText(unit int) string {
	return fmt.Sprintf(`{"context": {"targetingKey": "unit-%03d", "country": "DE"}}`, unit)
}

// evaluate asks once, and sees to it that what experiments set is there.
func (p *process) evaluate(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, bytes.NewReader([]byte(contextText(0))))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s is answered %s: %.300s", path, res.Status, body)
	}
	type flag struct {
		Key   string
		Value int
	}
	var answer struct {
		flag
		Flags []flag
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	for _, f := range append(answer.Flags, answer.flag) {
		if f.Key == "flags.f7" && f.Value > 0 && (answer.Flags == nil || len(answer.Flags) == resolvedPaths) {
			return body, nil
		}
	}
	return nil, errors.New(path + " does not answer with what the experiments set: " + string(body[:min(len(body), 300)]))
}
