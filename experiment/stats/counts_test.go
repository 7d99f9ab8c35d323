package stats_test

import (
	"math/rand/v2"
	"testing"

	"github.com/trunkline/trunkline/experiment/stats"
)

// The examples of R's manual of chisq.test.
func TestSampleRatioAgainstR(t *testing.T) {
	fit := stats.SampleRatio([]int{20, 15, 25}, []float64{1, 1, 1}) // chisq.test(c(20, 15, 25)): X-squared = 2.5, df = 2, p-value = 0.2865
	near(t, "statistic", fit.Statistic, 2.5, 1e-12)
	near(t, "p", fit.P, 0.2865, 5e-5)
	near(t, "freedom", float64(fit.Freedom), 2, 0)

	fit = stats.SampleRatio([]int{89, 37, 30, 28, 2}, []float64{40, 20, 20, 15, 5}) // … rescale.p = TRUE: X-squared = 9.9901, df = 4, p-value = 0.04059
	near(t, "statistic", fit.Statistic, 9.9901, 5e-5)
	near(t, "p", fit.P, 0.04059, 5e-6)
}

// chisq.test(as.table(rbind(c(762, 327, 468), c(484, 239, 477)))), of Agresti: X-squared = 30.07, df = 2, p-value = 2.954e-07.
func TestIndependenceAgainstR(t *testing.T) {
	fit := stats.Independence([][]int{{762, 327, 468}, {484, 239, 477}})
	near(t, "statistic", fit.Statistic, 30.07, 5e-3)
	near(t, "p", fit.P/2.954e-07, 1, 1e-3)
	near(t, "freedom", float64(fit.Freedom), 2, 0)
}

func TestWhatIsNothingToCompare(t *testing.T) {
	for name, fit := range map[string]stats.Fit{
		"one arm":        stats.SampleRatio([]int{5, 0}, []float64{1, 0}),
		"no units":       stats.SampleRatio([]int{0, 0}, []float64{1, 1}),
		"no table":       stats.Independence(nil),
		"one column":     stats.Independence([][]int{{3}, {4}}),
		"an empty row":   stats.Independence([][]int{{3, 4}, {0, 0}}),
		"an empty table": stats.Independence([][]int{{0, 0}, {0, 0}}),
	} {
		near(t, name, fit.P, 1, 0)
		near(t, name+", freedom", float64(fit.Freedom), 0, 0)
	}
	if stats.SampleRatio([]int{2, 2}, []float64{1, 1}).Enough() {
		t.Error("two expected units are enough")
	}
	if !stats.SampleRatio([]int{5, 5}, []float64{1, 1}).Enough() {
		t.Error("five expected units are not enough")
	}
}

// TestAlarmsAreAsRareAsTheySay: where the weights hold, p is below 0.05 in one of twenty runs.
func TestAlarmsAreAsRareAsTheySay(t *testing.T) {
	const runs, units = 4000, 3000
	source := rand.New(rand.NewPCG(3, 4))
	ratio, independent := 0, 0
	for range runs {
		counts, table := make([]int, 3), [][]int{{0, 0}, {0, 0}}
		for range units {
			n := source.IntN(10)
			counts[min(n/3, 2)]++
			table[n%2][source.IntN(2)]++
		}
		if stats.SampleRatio(counts, []float64{3, 3, 4}).P < 0.05 {
			ratio++
		}
		if stats.Independence(table).P < 0.05 {
			independent++
		}
	}
	near(t, "sample ratio", float64(ratio)/runs, 0.05, 0.014)
	near(t, "independence", float64(independent)/runs, 0.05, 0.014)
}
