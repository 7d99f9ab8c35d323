package main

import (
	"context"
	"fmt"
	"strings"
)

const groupsFile = "config/groups.yaml"

// groupsText is a file with values for each set of patterns, and some that all look at.
func groupsText(touched, common int) string {
	var b strings.Builder
	for i := range patternSets {
		n := 0
		if i < touchedSets {
			n = touched
		}
		fmt.Fprintf(&b, "group%d: {text: %q}\n", i, filler(n, smallChange))
	}
	fmt.Fprintf(&b, "common: {text: %q}\n", filler(common, smallChange))
	return b.String()
}

// patterns measures sessions that look at a hundred different parts of the configuration: a change that a few of the parts have in them,
// and one that all have.
func (s *suite) patterns(ctx context.Context) error {
	texts := []string{groupsText(0, 0)}
	for i := range s.scale.changes {
		texts = append(texts, groupsText(i+1, 0))
	}
	for i := range s.scale.changes {
		texts = append(texts, groupsText(s.scale.changes, i+1))
	}
	var sets [][]string
	for i := range patternSets {
		sets = append(sets, []string{fmt.Sprintf("groups.group%d.**", i), "groups.common.**"})
	}
	return s.stage(ctx, "patterns", story{file: groupsFile, texts: texts}, func(f *followed, w *swarmProcess) error {
		n := s.scale.patterned
		if err := s.fits(f.process, n); err != nil {
			return err
		}
		if _, err := w.tell(order{Do: "open", Addr: f.addr(), Sessions: n, Patterns: sets}); err != nil {
			return err
		}
		reaches := []int{n * touchedSets / patternSets, n}
		of := make([]told, len(reaches))
		for i, reach := range reaches {
			var err error
			if of[i], err = f.broadcastTo(ctx, w, reach, s.scale.changes); err != nil {
				return err
			}
		}
		if err := w.cut(); err != nil {
			return err
		}
		for i, reach := range reaches {
			if err := s.besideRaw(w, n, reach, of[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// besideRaw adds the row of a change that reaches some of the sessions.
func (s *suite) besideRaw(w *swarmProcess, sessions, reach int, t told) error {
	raw, err := openRaw(w, reach)
	if err != nil {
		return err
	}
	defer raw.close()
	last, _, err := raw.broadcast(w, t.frame, s.scale.changes)
	if err != nil {
		return err
	}
	sets := patternSets * reach / sessions
	s.add(row{
		what:     fmt.Sprintf("%d sessions with %d pattern sets: a change of %d sets, against write(2)", sessions, patternSets, sets),
		measured: t.last / last, limit: 1.3, compared: reach < sessions,
		note: fmt.Sprintf("the last of %d has it %.3g ms after it is live; %.3g ms by write(2) of %d bytes to as many sockets; medians of %d",
			reach, t.last, last, len(t.frame), s.scale.changes),
	})
	return w.cut()
}
