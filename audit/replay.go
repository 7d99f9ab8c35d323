package audit

import (
	"cmp"
	"context"
	"slices"

	"github.com/trunkline/trunkline/apply"
)

// replay reads what a start needs, oldest first: what the newest checkpoint keeps of records that were trimmed, of older records
// those that count however old they are, and the newest records.
func (l *Log) replay(ctx context.Context) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	if info.State.Msgs == 0 {
		l.index.begin(info.State.LastSeq + 1)
		return nil
	}
	kept, err := l.kept(ctx)
	if err != nil {
		return err
	}
	l.settings, l.remembered = kept.settings, kept.remembered()
	for _, p := range kept.pinned() {
		l.index.pinned(0, &Record{Kind: KindPin, At: p.At, Event: &p.EventRecord})
	}
	from, to := info.State.FirstSeq, info.State.LastSeq
	if to-from >= l.replayed {
		from = to - l.replayed + 1
		if err := l.replayOlder(ctx, from-1); err != nil {
			return err
		}
	}
	l.index.begin(from)
	for m, err := range l.walk(ctx, from, to) {
		if err != nil {
			return err
		}
		record := m.decode()
		if record.Kind == KindUnreadable {
			l.slog.Error("a record of the audit log cannot be read", "sequence", m.sequence, "subject", m.subject)
		}
		l.remember(record, m.sequence)
		l.index.add(m.sequence, record)
	}
	return nil
}

// replayOlder reads, of the records up to one, those that count however old they are.
func (l *Log) replayOlder(ctx context.Context, to uint64) error {
	r, err := l.reader()
	if err != nil {
		return err
	}
	defer r.close()
	var found []message
	kinds := []string{"settings", "acceptance"}
	for _, kind := range lasting {
		kinds = append(kinds, "event."+string(kind))
	}
	for _, kind := range kinds {
		for m, err := range r.all(ctx, subjects+"."+kind+".>", 1, to) {
			if err != nil {
				return err
			}
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b message) int { return cmp.Compare(a.sequence, b.sequence) })
	for _, m := range found {
		r := m.decode()
		l.remember(r, m.sequence)
		l.index.pinned(m.sequence, r)
	}
	return nil
}

func (l *Log) remember(r *Record, place uint64) {
	switch r.Kind {
	case KindSettings:
		l.settings = r.Settings
	case KindRewrite:
		l.remembered = append(l.remembered, apply.Remembered{Commit: r.Rewrite.New, Parent: r.Rewrite.Old, Refused: r.Rewrite.Refused})
		l.after = r.Rewrite.After
	case KindAcceptance:
		l.remembered = append(l.remembered, apply.Remembered{Commit: r.Acceptance.Commit, Parent: required(r.Acceptance.From), Accepted: true})
	case KindPin, KindUnpin:
		if r.Event != nil {
			l.remembered = append(l.remembered, rememberedPin(r))
		}
	case KindStop, KindResume:
		if r.Event != nil {
			l.remembered = append(l.remembered, rememberedStop(r))
		}
	case KindCommit:
		l.remembered = append(l.remembered, apply.Remembered{
			Commit: r.Commit, Parent: required(r.Parent), Tree: r.Tree, Environment: r.Environment,
			Due: r.Due, Verdict: r.Verdict, Retired: r.Retired, Baseline: required(r.Baseline), At: r.At, Changes: traced(r),
		})
	}
	if n := len(l.remembered) - maxTraced; n > 0 {
		l.remembered[n-1].Changes = nil
	}
	if r.given() {
		l.last = place
	}
}

// traced are the changes of a verdict by which a later one is recognised that takes them back.
func traced(r *Record) []apply.Change {
	if r.Verdict != apply.Valid || len(r.Changes) != r.ChangesTotal || len(r.Changes) > apply.MaxTraced {
		return nil
	}
	return r.Changes
}

// Remembered is what the log held when it was opened, oldest first. It is handed out once.
func (l *Log) Remembered() []apply.Remembered {
	r := l.remembered
	l.remembered = nil
	return r
}
