package experiment_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/trunkline/trunkline/experiment"
)

// The shared vectors were made with another language's SHA-256; clients of every language run them.
func TestSlotsAreThoseOfTheVectors(t *testing.T) {
	data, err := os.ReadFile("../testdata/vectors/slots.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors [][3]any // salt, unit, slot
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 10_000 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		salt, unit, want := v[0].(string), v[1].(string), int(v[2].(float64))
		if got := experiment.Slot(salt, unit); got != want {
			t.Errorf("slot of %q under %q is %d, want %d", unit, salt, got, want)
		}
	}
}

func TestASlotTakesNoMemory(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { experiment.Slot("8f3a1c90d2b7", "user-1234567") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSlot(b *testing.B) {
	for b.Loop() {
		experiment.Slot("8f3a1c90d2b7", "user-1234567")
	}
}
