package main

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/trunkline/trunkline/experiment"
)

func (z *sizing) write(w io.Writer) {
	measure := fmt.Sprintf("%s, now %s", z.Metric, z.amountOf(z.Baseline))
	if z.SD > 0 {
		measure += fmt.Sprintf(" with a standard deviation of %g", z.SD)
	}
	if z.Experiment != "" {
		measure = z.Experiment + ": " + measure
	}
	fmt.Fprintln(w, measure)
	fmt.Fprintf(w, "effect  %s\n", z.effectText(z.Effect))
	fmt.Fprintf(w, "alpha   %g two-sided", z.Alpha)
	if z.Comparisons > 1 {
		fmt.Fprintf(w, ", shared by %d comparisons", z.Comparisons)
	}
	fmt.Fprintf(w, "\npower   %.3g\nunits   %s\n", z.Power, commas(z.UnitsTotal))
	for _, a := range z.Arms {
		fmt.Fprintf(w, "  %-12s %12s  %s\n", a.Variant, commas(a.Units), shareText(a.Share))
	}
	if z.Days > 0 {
		fmt.Fprintf(w, "days    %s, at %s units a day and %s of traffic", commas(z.Days), commas(z.DailyUnits), shareText(z.Traffic))
		if z.Days < 7 {
			fmt.Fprint(w, "; run it for a week at least")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, z.conclusion())
}

// conclusion is what follows for the file.
func (z *sizing) conclusion() string {
	switch {
	case z.short && z.Smallest == nil:
		return fmt.Sprintf("not enough: plan %s units", commas(z.Needed))
	case z.short:
		return fmt.Sprintf("not enough: plan %s units, or an effect of %s", commas(z.Needed), z.effectText(*z.Smallest))
	case z.planned:
		return "the plan has enough units"
	}
	return fmt.Sprintf("plan: {unitsTotal: %d, minimumEffect: %s, alpha: %g, power: %g}", z.UnitsTotal, z.amountText(), z.Alpha, math.Round(z.Power*1000)/1000)
}

// amountText is the effect as the file has it: how large it is, not which way.
func (z *sizing) amountText() string {
	return amountText(experiment.Amount{Size: math.Abs(z.amount.Size), Relative: z.amount.Relative}, z.Metric == "proportion")
}

// amountOf is a value of the metric.
func (z *sizing) amountOf(v float64) string {
	if z.Metric == "proportion" {
		return strconv.FormatFloat(v*100, 'g', 4, 64) + "%"
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// effectText is an effect both ways.
func (z *sizing) effectText(e effect) string {
	absolute := strconv.FormatFloat(e.Absolute, 'g', 4, 64)
	if z.Metric == "proportion" {
		absolute = strconv.FormatFloat(e.Absolute*100, 'g', 4, 64) + "pp"
	}
	words := fmt.Sprintf("%s, from %s to %s", absolute, z.amountOf(z.Baseline), z.amountOf(z.Baseline+e.Absolute))
	if e.Relative != nil {
		words = strconv.FormatFloat(*e.Relative*100, 'g', 4, 64) + "% of the baseline: " + words
	}
	return words
}

func shareText(share float64) string { return strconv.FormatFloat(share*100, 'g', 4, 64) + "%" }

// commas writes a count with commas.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
