package stats

import "math"

// Measure is what a metric is without a change: the mean over units, and the variance of one unit.
type Measure struct {
	Mean     float64
	variance float64
	share    bool
}

// Proportion is a metric that is the share of units to which something happens; p is between 0 and 1. Its variance is p(1−p), so a change
// of p changes it, too.
func Proportion(p float64) Measure { return Measure{Mean: p, variance: p * (1 - p), share: true} }

// Mean is a metric that is the mean of a number of each unit, or a ratio of two. Its variance is taken to stay as it is. That of a ratio
// R = Σm/Σd is, by the delta method (Deng, Knoblich, Lu: Applying the Delta Method in Metric Analytics, KDD 2018, section 3),
// (s²m − 2R·cov(m,d) + R²·s²d) / d̄².
func Mean(mean, variance float64) Measure { return Measure{Mean: mean, variance: variance} }

// Variance is that of one unit when the mean has changed by d.
func (m Measure) Variance(d float64) float64 {
	if !m.share {
		return m.variance
	}
	p := m.Mean + d
	return p * (1 - p)
}

// Reachable tells whether the mean can change by d: a proportion stays between 0 and 1.
func (m Measure) Reachable(d float64) bool {
	p := m.Mean + d
	return !math.IsNaN(d) && (!m.share || p >= 0 && p <= 1)
}
