package notify_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// user is a context of a size that clients send.
func user(i int) string {
	return fmt.Sprintf(`{"targetingKey":"user-%d","country":"DE","plan":"free","app":{"version":"2.%d.0"}}`, i, i%20)
}

// flags are values that the definitions below set.
func flags(n, more int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"f%d":false,`, i)
	}
	return fmt.Sprintf(`{"flags":{%s"more":%d}}`, b.String(), more)
}

// trials are so many experiments, each in a layer of its own, with a condition.
func trials(n int, phase int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("layers/l%d", i)] = fmt.Sprintf(`{"unit":"targetingKey","salt":"layer%d"}`, i)
		text := strings.Replace(trial(fmt.Sprintf("l%d", i), fmt.Sprintf("flags.f%d", i), "100%"), `"phase":1`, fmt.Sprintf(`"phase":%d`, phase), 1)
		files[fmt.Sprintf("experiments/e%d", i)] = strings.Replace(text, `"layer"`, `"targeting":"context.country == \"DE\"","layer"`, 1)
	}
	return files
}

// Whoever is set the same shares frames: a change of a value is encoded once for each face, not for each session.
func TestFacesShareFrames(t *testing.T) {
	live := notifytest.NewLive()
	hub := notify.New(notify.Options{Live: live})
	live.Definitions = definitions(t, trials(2, 1))
	live.PutJSON("prod", flags(2, 0))
	crowd := hub.NewCrowd("prod", 200, user, "flags.**")
	if frames, encoded := crowd.Deliver(); frames != 400 || encoded != 8 { // snapshots of four faces, and four lists of assignments
		t.Errorf("%d frames, %d encoded", frames, encoded)
	}
	live.PutJSON("prod", flags(2, 1))
	hub.Advance()
	if frames, encoded := crowd.Deliver(); frames != 200 || encoded != 4 {
		t.Errorf("%d frames, %d encoded", frames, encoded)
	}
}

// What nobody sees any more is not kept, however many there were who saw something of their own.
func TestFacesAreForgotten(t *testing.T) {
	live := notifytest.NewLive()
	hub := notify.New(notify.Options{Live: live})
	live.Definitions = definitions(t, trials(16, 1))
	live.PutJSON("prod", flags(16, 0))
	crowd := hub.NewCrowd("prod", 1, user, "flags.**")
	for n := range 40 {
		next := hub.NewCrowd("prod", 100, func(i int) string { return user(1000*n + i) }, "flags.**")
		next.Deliver()
		next.Leave(100)
		runtime.GC()
	}
	if faces, states := hub.Faces(); faces > 1000 || states > 1000 {
		t.Errorf("the names of %d faces and %d states are kept", faces, states)
	}
	crowd.Deliver()
}

// BenchmarkChoose is what a change costs in a view of 10,000 sessions that see 20 experiments: of one experiment's phase, for which all is
// chosen anew and a new list of assignments goes out; of other values, for which nothing is chosen; and of a step of a ramp.
func BenchmarkChoose(b *testing.B) {
	const sessions, experiments = 10_000, 20
	for _, c := range []struct {
		name   string
		change func(live *notifytest.Live, files *repository, c *clock, n int)
	}{
		{"definition", func(live *notifytest.Live, all *repository, _ *clock, n int) {
			files := trials(experiments, 1)
			files["rollouts/more"] = rollout("flags.on", fmt.Sprintf(`"percentage":"%d%%"`, 20+n%2))
			live.Definitions = all.read(b, files)
			live.PutJSON("prod", strings.Replace(flags(experiments, 0), `"more"`, `"on":false,"more"`, 1))
		}},
		{"value", func(live *notifytest.Live, all *repository, _ *clock, n int) {
			live.PutJSON("prod", strings.Replace(flags(experiments, n+1), `"more"`, `"on":false,"more"`, 1))
		}},
		{"everybody", func(live *notifytest.Live, all *repository, _ *clock, n int) { // the control sets something, too
			files := trials(experiments, 1)
			files["rollouts/more"] = strings.Replace(rollout("flags.on", `"percentage":"100%"`), "true", fmt.Sprint(n%2 == 0), 1)
			live.Definitions = all.read(b, files)
			live.PutJSON("prod", strings.Replace(flags(experiments, 0), `"more"`, `"on":false,"more"`, 1))
		}},
		{"ramp", func(_ *notifytest.Live, _ *repository, c *clock, n int) {
			c.set(nine.Add(time.Duration(n%100+1) * 175 * time.Hour))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			live, all, now := notifytest.NewLive(), &repository{}, &clock{now: nine}
			hub := notify.NewLimited(notify.Options{Live: live}, func(l *notify.Limits) { l.Clock = now.time })
			files := trials(experiments, 1)
			files["rollouts/more"] = rollout("flags.on", `"ramp":{"start":"2026-12-01T09:00:00Z","over":"17500h","to":"100%"}`)
			live.Definitions = all.read(b, files)
			live.PutJSON("prod", strings.Replace(flags(experiments, 0), `"more"`, `"on":false,"more"`, 1))
			crowd := hub.NewCrowd("prod", sessions, user, "flags.**")
			crowd.Deliver()
			hub.Advance()
			sent := 0
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				c.change(live, all, now, n)
				b.StartTimer()
				hub.Advance()
				frames, _ := crowd.Deliver()
				sent += frames
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sessions, "ns/session")
			b.ReportMetric(float64(sent)/float64(b.N), "frames/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}
