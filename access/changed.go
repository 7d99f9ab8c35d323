package access

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/value"
)

// Change is one that somebody made of the credentials in the server's files, not through the server: of a token, or of an issuer of JWTs.
type Change struct {
	What    string            // made, changed or revoked; issuer added, issuer changed or issuer removed
	Details map[string]string // names and what is granted; nothing secret
}

// edited are the changes from the tokens that are known to those of a file that another process has written. Last uses, and the removal
// of what has expired, are none.
func edited(known map[string]*knownToken, records []tokenRecord, now time.Time) (changes []Change) {
	kept := map[string]bool{}
	for _, r := range records {
		kept[r.ID] = true
		switch k := known[r.ID]; {
		case k == nil:
			changes = append(changes, Change{"made", r.token(r.LastUsed).Recorded()})
		case !k.record.same(&r):
			changes = append(changes, Change{"changed", r.token(r.LastUsed).Recorded()})
		}
	}
	for id, k := range known {
		if !kept[id] && !k.identity.expired(now) {
			changes = append(changes, Change{"revoked", k.record.token(k.lastUsed()).Recorded()})
		}
	}
	return changes
}

// reissued are the changes from one set of issuers to another, each with the members of its settings that are not the same.
func reissued(before, after map[string]*provider) (changes []Change) {
	for issuer, p := range after {
		was := before[issuer]
		switch {
		case was == nil:
			changes = append(changes, Change{"issuer added", map[string]string{"issuer": issuer}})
		case was.form.Sum() != p.form.Sum():
			changes = append(changes, Change{"issuer changed", map[string]string{"issuer": issuer, "changed": differing(was.form, p.form)}})
		}
	}
	for issuer := range before {
		if after[issuer] == nil {
			changes = append(changes, Change{"issuer removed", map[string]string{"issuer": issuer}})
		}
	}
	return changes
}

// differing names the members that two maps do not have alike.
func differing(a, b *value.Value) string {
	names := map[string]bool{}
	for _, side := range [][2]*value.Value{{a, b}, {b, a}} {
		for _, e := range side[0].Entries() {
			if other, ok := side[1].Get(e.Key); !ok || other.Sum() != e.Value.Sum() {
				names[e.Key] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}
