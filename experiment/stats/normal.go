package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Quantile is the value below which a standard normal variable lies with probability p, which is between 0 and 1.
func Quantile(p float64) float64 { return mathext.NormalQuantile(p) }

// Tail is the probability that a standard normal variable lies above z: erfc(z/√2)/2, which stays exact where 1 − Φ(z) would be lost to
// rounding.
func Tail(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }
