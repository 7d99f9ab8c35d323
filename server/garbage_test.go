package server_test

import (
	"testing"

	"github.com/trunkline/trunkline/server"
)

func TestGarbageIsCollectedSeldomUnderLoadAlone(t *testing.T) {
	const mb = 1 << 20
	next := server.Garbage()
	cycles := uint64(7)
	for i, look := range []struct{ live, ran, want int }{
		{0, 7, 100},           // nothing is known yet
		{8 * mb, 1, 100},      // idle
		{8 * mb, 20, 400},     // under load: 32 MB
		{8 * mb, 1, 400},      // which it still is
		{9 * mb, 3, 355},      // never more than that
		{17 * mb / 2, 3, 355}, // nor moved for a little
		{64 * mb, 0, 100},     // a large heap has room enough
		{2 * mb, 9, 800},      // bounded
		{2 * mb, 0, 800},      //
		{2 * mb, 0, 100},      // quiet for long
		{2 * mb, 0, 100},      //
		{16 * mb, 99, 200},    // and under load again
	} {
		cycles += uint64(look.ran)
		if got := next(uint64(look.live), cycles); got != look.want {
			t.Errorf("look %d: %d %%, not %d", i, got, look.want)
		}
	}
}
