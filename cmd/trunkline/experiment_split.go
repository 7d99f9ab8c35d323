package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/experiment/stats"
)

// simulated is what came of all units.
type simulated struct {
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	Units       int       `json:"units"`
	Repeated    int       `json:"repeated,omitempty"` // lines that were there before
	Experiments []split   `json:"experiments"`
	Failed      []failing `json:"failed"` // conditions that cannot be evaluated
}

// split is what came of one experiment.
type split struct {
	Key         string            `json:"key"`
	Status      experiment.Status `json:"status"`
	Layer       string            `json:"layer"`
	In          int               `json:"in"`
	Share       float64           `json:"share"` // of all units
	Variants    []variantUnits    `json:"variants"`
	Forced      int               `json:"forced"`
	Out         []outUnits        `json:"out"`
	SampleRatio fit               `json:"sampleRatio"`
	Overlaps    []overlap         `json:"overlaps"`
}

type variantUnits struct {
	Name   string  `json:"name"`
	Units  int     `json:"units"`
	Share  float64 `json:"share"`
	Weight float64 `json:"weight"`
}

// outUnits are those whom a check left out.
type outUnits struct {
	Check string `json:"check"`
	Units int    `json:"units"`
}

// fit is what a chi-square test came to.
type fit struct {
	Statistic float64 `json:"statistic"`
	Freedom   int     `json:"freedom"` // degrees of it; 0 where there is nothing to compare
	P         float64 `json:"p"`
	Enough    bool    `json:"enough"` // units to tell
	Alarm     bool    `json:"alarm"`
}

// overlap is what two have in common.
type overlap struct {
	Kind        experiment.Kind `json:"kind"`
	Key         string          `json:"key"`
	Units       int             `json:"units"`    // in both
	Expected    float64         `json:"expected"` // if neither said anything of the other
	Exclusive   bool            `json:"exclusive,omitempty"`
	Independent fit             `json:"independent"` // whether variants split alike over what the other gives
}

type failing struct {
	Kind    experiment.Kind `json:"kind"`
	Key     string          `json:"key"`
	Units   int             `json:"units"`
	Example string          `json:"example"`
}

// alarmAt is the p-value below which a split is taken for uneven: where everything is right it is in one of a thousand.
const alarmAt = 0.001

// newFit is a test's answer; several that are asked at once share the rate of false alarms.
func newFit(f stats.Fit, asked int) fit {
	return fit{f.Statistic, f.Freedom, f.P, f.Enough(), f.Enough() && f.P < alarmAt/float64(max(asked, 1))}
}

func (m *simulation) result() simulated {
	r := simulated{Environment: m.environment, Units: m.total, Repeated: m.repeated, Failed: []failing{}}
	for _, x := range m.subjects {
		r.Experiments = append(r.Experiments, m.split(x))
	}
	names := slices.SortedFunc(maps.Keys(m.failed), func(a, b definition) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key)) })
	for _, name := range names {
		r.Failed = append(r.Failed, failing{name.kind, name.key, m.failed[name].count, m.failed[name].example})
	}
	return r
}

func (m *simulation) split(x *subject) split {
	s := split{Key: x.Key, Status: x.status, Layer: x.Layer, Forced: x.forced, Out: []outUnits{}, Overlaps: []overlap{}}
	weights := make([]float64, len(x.Variants))
	for i, v := range x.Variants {
		s.In += x.counts[i]
		weights[i] = float64(v.Weight()) / experiment.Slots
	}
	s.Share = part(s.In, m.total)
	for i, v := range x.Variants {
		s.Variants = append(s.Variants, variantUnits{v.Name, x.counts[i], part(x.counts[i], s.In), weights[i]})
	}
	for _, check := range slices.Sorted(maps.Keys(x.out)) {
		s.Out = append(s.Out, outUnits{string(check), x.out[check]})
	}
	if x.broken > 0 {
		s.Out = append(s.Out, outUnits{"error", x.broken})
	}
	s.SampleRatio = newFit(stats.SampleRatio(x.counts, weights), 1)
	for n, o := range m.others {
		if meets, ok := x.meets[n]; ok || o.layer == x.Layer && n != x.number {
			s.Overlaps = append(s.Overlaps, m.overlap(x, o, meets, s.In, len(x.meets)))
		}
	}
	return s
}

func (m *simulation) overlap(x *subject, o other, meets []row, in, asked int) overlap {
	found := overlap{Kind: o.kind, Key: o.key, Expected: float64(in) * part(o.in, m.total), Exclusive: o.layer == x.Layer}
	arms := 0
	for _, r := range meets {
		arms = max(arms, len(r))
	}
	table := make([][]int, len(meets))
	for i, r := range meets {
		rest := x.counts[i] // who is not in the other
		table[i] = append(slices.Clone(r), make([]int, arms-len(r)+1)...)
		for _, n := range r {
			found.Units += n
			rest -= n
		}
		table[i][arms] = rest
	}
	found.Independent = newFit(stats.Independence(table), asked)
	return found
}

func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// off tells whether the split is not as the weights say.
func (s split) off() bool { return s.SampleRatio.Alarm }

// outWords say why units are left out.
var outWords = map[string]string{
	string(experiment.CheckStatus):       "it does not run",
	string(experiment.CheckHoldout):      "the layer holds them out",
	string(experiment.CheckPrerequisite): "a prerequisite is not in effect",
	string(experiment.CheckTargeting):    "the condition does not hold",
	string(experiment.CheckUnit):         "their context names no unit",
	string(experiment.CheckTraffic):      "their slot of the layer is not the experiment's",
	"error":                              "the condition cannot be evaluated",
}

func (r simulated) write(s *streams) error {
	c := newPalette(s.color)
	fmt.Fprintf(s.out, "%s in %s", unitsText(r.Units), r.Environment)
	if r.Repeated > 0 {
		fmt.Fprintf(s.out, "; lines that repeat others count once: %s are left out", commas(r.Repeated))
	}
	fmt.Fprintln(s.out)
	for _, x := range r.Experiments {
		if err := x.write(s, c, r.Units); err != nil {
			return err
		}
	}
	for _, f := range r.Failed {
		fmt.Fprintf(s.out, "\n%s a condition of the %s %s cannot be evaluated for %s, as: %s\n", c.yellow("warning"), f.Kind, f.Key, unitsText(f.Units), f.Example)
	}
	return nil
}

func (x split) write(s *streams, c palette, all int) error {
	fmt.Fprintf(s.out, "\n%s", c.bold(x.Key))
	if x.Status != experiment.Running {
		fmt.Fprintf(s.out, " (%s) as if it ran", x.Status)
	}
	fmt.Fprintf(s.out, ": %s in, %s\n", commas(x.In), percentText(x.Share))
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, v := range x.Variants {
		fmt.Fprintf(w, "  %s\t%s\t%s\tof %s\t\n", v.Name, commas(v.Units), percentText(v.Share), percentText(v.Weight))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "  %s\n", x.SampleRatio.ratioWords(c))
	if x.Forced > 0 {
		fmt.Fprintf(s.out, "  %s forced, left out of the analysis\n", commas(x.Forced))
	}
	for _, o := range x.Out {
		fmt.Fprintf(s.out, "  %s out, %s: %s %s\n", commas(o.Units), percentText(part(o.Units, all)), cmp.Or(outWords[o.Check], "not in"), c.dim("["+o.Check+"]"))
	}
	for _, o := range x.Overlaps {
		fmt.Fprintf(s.out, "  %s\n", o.words(c))
	}
	return nil
}

// ratioWords say whether the split is as the weights say.
func (f fit) ratioWords(c palette) string {
	switch {
	case !f.Enough:
		return fmt.Sprintf("too few units to tell whether that is as the weights say: %d are to be expected in each variant at least", stats.LeastExpected)
	case f.Alarm:
		return c.red("not as the weights say") + fmt.Sprintf(": sample ratio p = %s; are the units distinct? Other made-up ones come with --seed", pText(f.P))
	default:
		return fmt.Sprintf("as the weights say: sample ratio p = %s", pText(f.P))
	}
}

func (o overlap) words(c palette) string {
	words := fmt.Sprintf("with the %s %s: %s in both, %s expected by chance", o.Kind, o.Key, unitsText(o.Units), commas(int(o.Expected+0.5)))
	switch {
	case o.Exclusive && o.Units == 0:
		return fmt.Sprintf("with the %s %s: never, they share the layer", o.Kind, o.Key)
	case o.Independent.Freedom == 0:
		return words
	case !o.Independent.Enough:
		return words + "; too few to tell whether variants split alike there"
	case o.Independent.Alarm:
		return words + "; " + c.yellow("variants do not split alike there") + ", p = " + pText(o.Independent.P)
	default:
		return words + "; variants split alike there, p = " + pText(o.Independent.P)
	}
}

// unitsText writes how many units: 1 unit, 2,000 units.
func unitsText(n int) string {
	if n == 1 {
		return "1 unit"
	}
	return commas(n) + " units"
}

func pText(p float64) string { return strconv.FormatFloat(p, 'g', 2, 64) }

func percentText(share float64) string { return strconv.FormatFloat(share*100, 'f', 2, 64) + "%" }
