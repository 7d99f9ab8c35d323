package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// LeastExpected is how many units must be expected in every cell for a chi-square test to mean something (Cochran: Some Methods for
// Strengthening the Common χ² Tests, Biometrics 1954).
const LeastExpected = 5

// Fit is what a chi-square test came to.
type Fit struct {
	Statistic float64
	Freedom   int     // degrees of freedom; 0 where there is nothing to compare, and P is 1
	P         float64 // the probability of counts at least as far from the expected ones
	Least     float64 // the fewest that were expected in a cell
}

// Enough tells whether there were enough units for P to mean something.
func (f Fit) Enough() bool { return f.Least >= LeastExpected }

// SampleRatio tests whether counts are in the ratio of weights: Pearson's chi-square test of goodness of fit. Cells whose weight is 0 do not
// count.
func SampleRatio(counts []int, weights []float64) Fit {
	units, weight := 0, 0.0
	for i, w := range weights {
		if w > 0 {
			units, weight = units+counts[i], weight+w
		}
	}
	f := newFit()
	for i, w := range weights {
		if w > 0 {
			f.add(counts[i], float64(units)*w/weight)
			f.Freedom++
		}
	}
	return f.test(f.Freedom - 1)
}

// Independence tests whether the rows of a table have the same split over its columns: Pearson's chi-square test of independence. Rows and
// columns without units do not count.
func Independence(table [][]int) Fit {
	var rows, columns []int
	units := 0
	for _, row := range table {
		sum := 0
		for j, n := range row {
			if sum += n; j == len(columns) {
				columns = append(columns, 0)
			}
			columns[j] += n
		}
		rows = append(rows, sum)
		units += sum
	}
	f := newFit()
	for i, row := range table {
		for j, n := range row {
			if rows[i] > 0 && columns[j] > 0 {
				f.add(n, float64(rows[i])*float64(columns[j])/float64(units))
			}
		}
	}
	return f.test((used(rows) - 1) * (used(columns) - 1))
}

// used is how many of the sums are above 0.
func used(sums []int) int {
	n := 0
	for _, sum := range sums {
		if sum > 0 {
			n++
		}
	}
	return n
}

func newFit() Fit { return Fit{Least: math.Inf(1)} }

func (f *Fit) add(seen int, expected float64) {
	f.Least = min(f.Least, expected)
	if off := float64(seen) - expected; off != 0 {
		f.Statistic += off * off / expected
	}
}

// test looks up the statistic. Without units there is nothing to compare.
func (f Fit) test(freedom int) Fit {
	if math.IsInf(f.Least, 1) || f.Least == 0 {
		f.Least, freedom = 0, 0
	}
	if f.Freedom, f.P = freedom, 1; f.Freedom > 0 {
		f.P = distuv.ChiSquared{K: float64(f.Freedom)}.Survival(f.Statistic)
	}
	return f
}
