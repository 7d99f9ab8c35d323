package server_test

import (
	"math"
	"testing"

	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/server"
)

func TestBoundsWithinALimitOfDescriptors(t *testing.T) {
	for limit, want := range map[uint64][2]int{
		0:              {1, 1},
		64:             {32, 24},
		1024:           {768, 576},
		20_000:         {19_744, 18_976},
		131_072:        {130_816, notify.MaxSessions},
		math.MaxUint64: {1<<30 - 256, notify.MaxSessions},
	} {
		if connections, sessions := server.Within(limit); connections != want[0] || sessions != want[1] {
			t.Errorf("%d descriptors: %d connections, %d sessions, want %v", limit, connections, sessions, want)
		}
	}
}
