package audit

import (
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
)

// The kinds of events that a start remembers beside pins: a rollout or an experiment was taken out of effect, and is let into effect again.
const (
	KindStop   Kind = "stop"
	KindResume Kind = "resume"
)

// Details of a stop.
const (
	detailOf      = "kind" // rollout or experiment
	detailKey     = "key"
	detailContent = "content"
)

func stopRecord(s *apply.Stop) (*Record, error) {
	return lastingEvent(Event{Kind: KindStop, At: s.At, By: s.By, Environment: s.Environment, Reason: s.Reason, Details: stopDetails(s)})
}

func resumeRecord(r *apply.Resume) (*Record, error) {
	return lastingEvent(Event{Kind: KindResume, At: r.At, By: r.By, Environment: r.Stop.Environment, Reason: r.Reason, Details: stopDetails(&r.Stop)})
}

func stopDetails(s *apply.Stop) map[string]string {
	return map[string]string{detailOf: string(s.Kind), detailKey: s.Key, detailContent: s.Content}
}

// rememberedStop is what a start needs of the record of a stop, or of its end.
func rememberedStop(r *Record) apply.Remembered {
	e := r.Event
	return apply.Remembered{Resumed: r.Kind == KindResume, Stop: &apply.Stop{
		Environment: e.Environment, Kind: experiment.Kind(e.Details[detailOf]), Key: e.Details[detailKey], Content: e.Details[detailContent],
		By: e.By, Reason: e.Reason, At: r.At,
	}}
}

// stopped tells which stop an event is about.
type stopped struct{ environment, kind, key string }

func (e *EventRecord) stopped() stopped {
	return stopped{e.Environment, e.Details[detailOf], e.Details[detailKey]}
}
