package ofrep

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
)

// state names what the flags of a view can come to, whoever is asked about: as long as it is the same, so is every answer.
type state struct {
	content [sha256.Size]byte // of what is configured, and of the definitions of what may be laid over it
	set     *experiment.Set   // narrowed to the flags; nil where nothing may be
}

func (v *view) newState() state {
	configured := v.selected(v.full.base).Sum()
	content := configured[:]
	var s state
	if v.full.set != nil {
		s.set = v.full.set.Within(v.selected)
		definitions := v.full.set.Export(v.selected).Sum()
		content = append(content, definitions[:]...)
	}
	s.content = sha256.Sum256(content)
	return s
}

// next is when the answers may change next though no version does.
func (s *state) next(version *apply.Version, now time.Time) (time.Time, bool) {
	if s.set == nil || !version.Held.IsZero() {
		return time.Time{}, false
	}
	return s.set.Next(now)
}

// at names the state at a time. The time of the next change stands for all steps of ramps and schedules before it.
func (s *state) at(version *apply.Version, now time.Time) string {
	b := append(make([]byte, 0, sha256.Size+8), s.content[:]...)
	if s.set != nil {
		if next, ok := s.set.Next(version.Clock(now)); ok {
			b = binary.BigEndian.AppendUint64(b, uint64(next.Unix()))
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}
