package stats

import "math"

// Design is how a comparison of arms with one control is made: two-sided, with one look at the end.
type Design struct {
	// Shares are the arms' shares of the units, which sum to 1: the control's, then those of the others. Each is above 0.
	Shares []float64
	// Alpha is how probable it is at most that any of all comparisons finds an effect where there is none.
	Alpha float64
	// Power is how probable it is that a comparison finds the effect where it is.
	Power float64
	// Comparisons are how many share Alpha: each has Alpha/Comparisons (Bonferroni). 0 is one for each arm beside the control.
	Comparisons int
}

// critical is how many standard errors from 0 an effect is found: z at 1−α/2, with the comparison's part of α.
func (d Design) critical() float64 {
	n := d.Comparisons
	if n == 0 {
		n = len(d.Shares) - 1
	}
	return Quantile(1 - d.Alpha/float64(n)/2)
}

// spread is the squared standard error of the difference that one unit would have, split over a pair of arms.
func (d Design) spread(m Measure, effect, arm float64) float64 {
	return m.Variance(0)/d.Shares[0] + m.Variance(effect)/arm
}

// smallest is the share of the arm that has the fewest units beside the control: its comparison needs the most.
func (d Design) smallest() float64 {
	least := math.Inf(1)
	for _, share := range d.Shares[1:] {
		least = min(least, share)
	}
	return least
}

// Units is how many units all arms need together so that each comparison finds an effect, a difference of the mean other than 0, with the
// design's power:
//
//	N = (z(1−α/2) + z(power))² · (sA²/wA + sB²/wB) / effect²
//
// for the arm B with the smallest share. An arm has its share of N; with equal shares that is (z+z)²(sA²+sB²)/effect² each. Source: Chow,
// Shao, Wang: Sample Size Calculations in Clinical Research, 2nd edition 2008, sections 3.2.1 and 4.2.1. It is not rounded.
func (d Design) Units(m Measure, effect float64) float64 {
	z := d.critical() + Quantile(d.Power)
	return z * z * d.spread(m, effect, d.smallest()) / (effect * effect)
}

// Reached is the power with which a comparison finds an effect when all arms have so many units together. That an effect is found in the
// wrong direction does not count; the probability of that is below α/2.
func (d Design) Reached(m Measure, effect, units float64) float64 {
	deviation := math.Sqrt(d.spread(m, effect, d.smallest()) / units)
	return Tail(d.critical() - math.Abs(effect)/deviation)
}

// Effect is the smallest effect that so many units find: the inverse of [Design.Units]. Down is whether an effect below 0 is meant. It may be
// one that cannot be reached: see [Measure.Reachable].
//
// The variance of a proportion changes with the effect D, so that N·D² = z²·(sA²/wA + (p+D)(1−p−D)/wB) is a quadratic equation in D.
func (d Design) Effect(m Measure, units float64, down bool) float64 {
	z, arm := d.critical()+Quantile(d.Power), d.smallest()
	a, b, c := units/(z*z), 0.0, d.spread(m, 0, arm)
	if m.share {
		a += 1 / arm
		b = (1 - 2*m.Mean) / arm
	}
	if down {
		b = -b
	}
	effect := (b + math.Sqrt(b*b+4*a*c)) / (2 * a)
	if down {
		return -effect
	}
	return effect
}
