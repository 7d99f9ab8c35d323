package experiment_test

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/trunkline/trunkline/experiment"
)

// What is tested here is always the same: seeds are fixed, so a test that passes passes for ever.

// ids are n names of units as they are found in practice: numbers in sequence, UUIDs, e-mail addresses.
func ids(n int) map[string][]string {
	random := rand.New(rand.NewPCG(1, 2))
	all := map[string][]string{}
	for i := range n {
		all["numbers"] = append(all["numbers"], fmt.Sprint(1_000_000+i))
		all["uuids"] = append(all["uuids"], fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), random.Uint32()>>16, random.Uint32()>>20, random.Uint32()>>20, random.Uint64()>>16))
		all["emails"] = append(all["emails"], fmt.Sprintf("user.%d@example.com", i))
	}
	return all
}

// chance is how likely a chi-square of so many degrees of freedom is to be as large, by Wilson and Hilferty's cube root (1931), which is
// right to a twentieth where it matters here.
func chance(chi2 float64, degrees int) float64 {
	k := float64(degrees)
	z := (math.Cbrt(chi2/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
	return math.Erfc(z/math.Sqrt2) / 2
}

// uniform is how likely counts that are uneven like these come from even chances.
func uniform(counts []int) float64 {
	total, chi2 := 0, 0.0
	for _, n := range counts {
		total += n
	}
	expected := float64(total) / float64(len(counts))
	for _, n := range counts {
		chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	return chance(chi2, len(counts)-1)
}

// independent is how likely a table like this comes from rows and columns that know nothing of each other.
func independent(table [][]int) float64 {
	total, chi2 := 0.0, 0.0
	rows, columns := make([]float64, len(table)), make([]float64, len(table[0]))
	for i, row := range table {
		for j, n := range row {
			total, rows[i], columns[j] = total+float64(n), rows[i]+float64(n), columns[j]+float64(n)
		}
	}
	for i, row := range table {
		for j, n := range row {
			expected := rows[i] * columns[j] / total
			chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
		}
	}
	return chance(chi2, (len(rows)-1)*(len(columns)-1))
}

// TestTheChances holds the tests themselves: quantiles of the chi-square distribution as tables have them.
func TestTheChances(t *testing.T) {
	for _, c := range []struct {
		chi2    float64
		degrees int
		want    float64
	}{{26.296, 16, 0.05}, {39.252, 16, 0.001}, {1073.643, 999, 0.05}, {1142.848, 999, 0.001}} {
		if got := chance(c.chi2, c.degrees); math.Abs(got-c.want) > 0.05*c.want {
			t.Errorf("chi-square %g of %d: %g, want %g", c.chi2, c.degrees, got, c.want)
		}
	}
}

// placing gives a unit its slot under a salt.
type placing func(salt, unit string) int

// evenness is the least chance that the units of one kind of names spread so unevenly over 1,000 buckets under 10 salts.
func evenness(place placing, units []string) float64 {
	least := 1.0
	for salt := range 10 {
		counts := make([]int, 1000)
		for _, unit := range units {
			counts[place(fmt.Sprintf("exp-%d", salt), unit)/(experiment.Slots/1000)]++
		}
		least = min(least, uniform(counts))
	}
	return least
}

// strangeness is the least chance that two of 40 numbered salts place the units of one kind of names so much alike, or so much apart.
func strangeness(place placing, units []string) float64 {
	const salts, parts = 40, 5
	where := make([][]uint8, salts)
	for salt := range where {
		where[salt] = make([]uint8, len(units))
		for i, unit := range units {
			where[salt][i] = uint8(place(fmt.Sprintf("exp-%d", salt), unit) * parts / experiment.Slots)
		}
	}
	least := 1.0
	for a := range where {
		for b := range where[:a] {
			table := make([][]int, parts)
			for i := range table {
				table[i] = make([]int, parts)
			}
			for i := range units {
				table[where[a][i]][where[b][i]]++
			}
			least = min(least, independent(table))
		}
	}
	return least
}

// TestSlotsAreEven holds that every thousandth of the slots gets as many units as chance would give it.
func TestSlotsAreEven(t *testing.T) {
	const tests = 30
	for kind, units := range ids(50_000) {
		if p := evenness(experiment.Slot, units); p < 0.01/tests {
			t.Errorf("%s: p = %g", kind, p)
		}
	}
}

// TestSaltsAreIndependent holds that where a unit is under one salt tells nothing of where it is under another, though the salts are alike.
func TestSaltsAreIndependent(t *testing.T) {
	const tests = 3 * 40 * 39 / 2
	for kind, units := range ids(10_000) {
		if p := strangeness(experiment.Slot, units); p < 0.01/tests {
			t.Errorf("%s: p = %g", kind, p)
		}
	}
}

// TestTheTestsFindWhatIsWrong holds that the tests above would fail with a hash that is not good enough.
func TestTheTestsFindWhatIsWrong(t *testing.T) {
	weak := func(salt, unit string) int {
		h := fnv.New32a()
		h.Write([]byte(salt + unit))
		return int(uint64(h.Sum32()) * experiment.Slots >> 32)
	}
	lengths := func(salt, unit string) int {
		return int(binary.BigEndian.Uint16([]byte(salt + unit)[len(salt):])) % experiment.Slots
	}
	units := ids(20_000)
	if p := strangeness(weak, units["numbers"]); p > 1e-12 {
		t.Errorf("FNV-1a passes for independent: p = %g", p)
	}
	if p := evenness(lengths, units["numbers"]); p > 1e-12 {
		t.Errorf("the first letters pass for even: p = %g", p)
	}
}

// TestLayersAreIndependent holds it through files: which variant a unit has in one experiment tells nothing of another in another layer, and
// within a layer no unit is in two.
func TestLayersAreIndependent(t *testing.T) {
	files := map[string]string{}
	for _, x := range []struct{ key, layer, slots string }{{"a", "one", "0-5999"}, {"b", "one", "6000-9999"}, {"c", "two", "0-6999"}, {"d", "two", "7000-9999"}} {
		files["layers/"+x.layer+".yaml"] = "salt: layer-" + x.layer + "\n"
		files["experiments/"+x.key+".yaml"] = fmt.Sprintf("environments: [prod]\nstatus: running\nlayer: %s\nsalt: exp-%s\nslots: [%s]\nweights: equal\n"+
			"variants: {control: , x: {set: {%s: 1}}}\nplan: {unitsTotal: 10, minimumEffect: {relative: 1%%}}\n", x.layer, x.key, x.slots, "flags."+x.layer)
	}
	s := good(t, files).In("prod", experiment.Options{})
	for kind, units := range ids(40_000) {
		table := make([][]int, 4)
		for i := range table {
			table[i] = make([]int, 4)
		}
		var choices []experiment.Choice
		for _, p := range people(t, units) {
			choices = s.Choose(choices[:0], p.who, noon)
			if len(choices) != 2 || choices[0].Definition > 1 || choices[1].Definition < 2 {
				t.Fatalf("%s is in %v", p.unit, choices)
			}
			table[choices[0].Definition*2+choices[0].Arm][(choices[1].Definition-2)*2+choices[1].Arm]++
		}
		if p := independent(table); p < 0.01/3 {
			t.Errorf("%s: p = %g", kind, p)
		}
		within := make([][]int, 2)
		for i, row := range table[:2] {
			within[i] = []int{row[0] + row[1], row[2] + row[3]}
		}
		if p := independent(within); p < 0.01/3 {
			t.Errorf("%s: variants of one experiment and being in another: p = %g", kind, p)
		}
	}
}
