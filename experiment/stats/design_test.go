package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/experiment/stats"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: %.10g, want %.10g within %g", what, got, want, tolerance)
	}
}

// R: qnorm(c(0.5, 0.8, 0.975, 1-1e-10)), pnorm(c(0, 1.96, 8, 12), lower.tail = FALSE).
func TestNormal(t *testing.T) {
	for p, want := range map[float64]float64{0.5: 0, 0.8: 0.8416212335729143, 0.975: 1.959963984540054, 1 - 1e-10: 6.361340889697422} {
		near(t, "quantile", stats.Quantile(p), want, 1e-6)
	}
	for z, want := range map[float64]float64{0: 0.5, 1.96: 0.024997895148220435, 8: 6.220960574271786e-16, 12: 1.776482112077679e-33} {
		near(t, "tail", stats.Tail(z)/want, 1, 1e-9)
	}
}

func halves() stats.Design {
	return stats.Design{Shares: []float64{0.5, 0.5}, Alpha: 0.05, Power: 0.8}
}

// The examples of Chow, Shao, Wang as HyLown's powerandsamplesize.com computes them, "Compare 2 Proportions: 2-Sample, 2-Sided Equality"
// (0.65 against 0.85: 70 an arm) and "Compare 2 Means: 2-Sample, 2-Sided Equality" (5 against 10, standard deviation 10: 63 an arm).
func TestPublishedSizes(t *testing.T) {
	near(t, "proportions", math.Ceil(halves().Units(stats.Proportion(0.65), 0.20)/2), 70, 0)
	near(t, "proportions, back", math.Ceil(halves().Units(stats.Proportion(0.85), -0.20)/2), 70, 0)
	near(t, "means", math.Ceil(halves().Units(stats.Mean(5, 100), 5)/2), 63, 0)
}

// R's power.t.test(power = 0.90, delta = 1) is n = 22.02110 with Student's t. The normal distribution takes z(1−α/2)²/4 fewer (Guenther:
// Sample Size Formulas for Normal Theory T Tests, The American Statistician 1981), 0.96 here. power.t.test(n = 20, delta = 1) is 0.8689528.
func TestMeansAgainstR(t *testing.T) {
	d := halves()
	d.Power = 0.9
	z := stats.Quantile(0.975)
	near(t, "units an arm", d.Units(stats.Mean(0, 1), 1)/2+z*z/4, 22.02110, 0.06)
	near(t, "power", halves().Reached(stats.Mean(0, 1), 1, 2*(20-z*z/4)), 0.8689528, 0.003)
}

// R's power.prop.test(p1 = 0.50, p2 = 0.75, power = 0.90) is n = 76.7 (its manual). It takes the pooled variance where nothing differs; with
// the same change to the formula, n = (z·√(2·p̄(1−p̄)) + z·√(pA(1−pA) + pB(1−pB)))² / d², both agree.
func TestProportionsAgainstR(t *testing.T) {
	const a, b = 0.50, 0.75
	d := halves()
	d.Power = 0.9
	n := d.Units(stats.Proportion(a), b-a) / 2
	own := stats.Quantile(0.975) + stats.Quantile(0.9)
	mean, spread := (a+b)/2, math.Sqrt(a*(1-a)+b*(1-b))
	pooled := stats.Quantile(0.975)*math.Sqrt(2*mean*(1-mean))/spread + stats.Quantile(0.9)
	near(t, "units an arm", n*pooled*pooled/(own*own), 76.7, 0.06)
}

// With unequal shares the arms need what the formula says of each: an allocation of 2 to 1 takes 9/8 of what equal arms take in all.
func TestUnequalShares(t *testing.T) {
	d := halves()
	equal := d.Units(stats.Mean(0, 1), 0.1)
	d.Shares = []float64{2. / 3, 1. / 3}
	near(t, "two to one", d.Units(stats.Mean(0, 1), 0.1)/equal, 9./8, 1e-12)
}

// Three arms against a control share α: each comparison is one of two arms at α/3.
func TestBonferroni(t *testing.T) {
	four := stats.Design{Shares: []float64{0.25, 0.25, 0.25, 0.25}, Alpha: 0.05, Power: 0.8}
	pair := stats.Design{Shares: []float64{0.5, 0.5}, Alpha: 0.05 / 3, Power: 0.8}
	m := stats.Proportion(0.1)
	near(t, "units", four.Units(m, 0.01), 2*pair.Units(m, 0.01), 1e-6)
	pair.Alpha, pair.Comparisons = 0.05, 3
	near(t, "units by the number of comparisons", four.Units(m, 0.01), 2*pair.Units(m, 0.01), 1e-6)
}

// TestEffectIsTheInverseOfUnits: what so many units find needs so many units, and is found with the power that was asked for.
func TestEffectIsTheInverseOfUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		arms := rapid.IntRange(2, 6).Draw(t, "arms")
		d := stats.Design{Alpha: rapid.Float64Range(0.001, 0.2).Draw(t, "alpha"), Power: rapid.Float64Range(0.6, 0.99).Draw(t, "power")}
		sum := 0.0
		for range arms {
			share := rapid.Float64Range(0.05, 1).Draw(t, "share")
			d.Shares, sum = append(d.Shares, share), sum+share
		}
		for i := range d.Shares {
			d.Shares[i] /= sum
		}
		m := stats.Proportion(rapid.Float64Range(0.001, 0.999).Draw(t, "p"))
		if rapid.Bool().Draw(t, "mean") {
			m = stats.Mean(rapid.Float64Range(-100, 100).Draw(t, "m"), rapid.Float64Range(0.01, 1e4).Draw(t, "variance"))
		}
		units := rapid.Float64Range(100, 1e8).Draw(t, "units")
		effect := d.Effect(m, units, rapid.Bool().Draw(t, "down"))
		if !m.Reachable(effect) {
			return
		}
		if again := d.Units(m, effect); math.Abs(again/units-1) > 1e-6 {
			t.Fatalf("%g units find %g, which needs %g", units, effect, again)
		}
		if power := d.Reached(m, effect, units); math.Abs(power-d.Power) > 1e-6 {
			t.Fatalf("power %g, want %g", power, d.Power)
		}
	})
}

// TestThePowerIsReached simulates experiments of the planned size, and counts how many find the effect that is there, and how many one that is not.
func TestThePowerIsReached(t *testing.T) {
	const runs, base, effect = 4000, 0.10, 0.03
	d := stats.Design{Shares: []float64{0.6, 0.4}, Alpha: 0.05, Power: 0.8}
	units := d.Units(stats.Proportion(base), effect)
	source := rand.New(rand.NewPCG(1, 2))
	found := func(p float64) float64 {
		n := 0
		for range runs {
			if p := pValue(source, units*d.Shares[0], base, units*d.Shares[1], p); p < d.Alpha {
				n++
			}
		}
		return float64(n) / runs
	}
	near(t, "power", found(base+effect), d.Power, 0.025)
	near(t, "false alarms", found(base), d.Alpha, 0.015)
}

// pValue is that of one simulated comparison of two proportions.
func pValue(source rand.Source, nA, pA, nB, pB float64) float64 {
	nA, nB = math.Ceil(nA), math.Ceil(nB)
	a := distuv.Binomial{N: nA, P: pA, Src: source}.Rand() / nA
	b := distuv.Binomial{N: nB, P: pB, Src: source}.Rand() / nB
	return 2 * stats.Tail(math.Abs(b-a)/math.Sqrt(a*(1-a)/nA+b*(1-b)/nB))
}
