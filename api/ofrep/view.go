package ofrep

import (
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// views keeps what is made of the live versions for each grant.
type views struct {
	mu   sync.RWMutex
	kept map[viewKey]*view
}

type viewKey struct{ env, grant string }

// of is what somebody sees of a version.
func (vs *views) of(version *apply.Version, who *access.Identity) *view {
	key := viewKey{version.Snapshot.Environment, who.Grant.Key()}
	vs.mu.RLock()
	v := vs.kept[key]
	vs.mu.RUnlock()
	if v == nil || v.version != version {
		v = vs.renew(key, version, who.Grant)
	}
	v.once.Do(v.make)
	return v
}

// renew puts a view in the place of those of other versions, which would keep their values for as long as nobody asks. It is made outside of
// the lock.
func (vs *views) renew(key viewKey, version *apply.Version, grant access.Grant) *view {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if v := vs.kept[key]; v != nil && v.version == version {
		return v // another request was faster
	}
	maps.DeleteFunc(vs.kept, func(k viewKey, v *view) bool { return k.env == key.env && v.version != version })
	if len(vs.kept) >= maxViews || vs.kept == nil {
		vs.kept = map[viewKey]*view{}
	}
	v := &view{version: version, grant: grant}
	vs.kept[key] = v
	return v
}

// view is what one grant sees of one version.
type view struct {
	version *apply.Version
	grant   access.Grant

	once  sync.Once
	scope access.Scope
	full  layers // as the grant's rights show them, wherever they stand
	plain layers // as they show without the right to reveal; the zero layers where that is the same
	seen  *value.Value
	paths owners
	about []byte // of every answer's metadata: the commit and the environment

	mu      sync.RWMutex
	targets map[string]*target
	kept    int // bytes of them, about

	listing sync.Once
	list    listing
}

// layers are values, and what may be laid over them; nil where nothing is.
type layers struct {
	base *value.Value
	set  *experiment.Set
}

func (v *view) make() {
	s, reveals := v.version.Snapshot, v.grant.May(access.Reveal)
	v.scope = v.grant.Scope(s.Manifest.Public, nil)
	v.full.base, v.full.set = s.Of(reveals)
	if reveals && s.Values != s.Delivered {
		v.plain.base, v.plain.set = s.Of(false)
	}
	v.seen = v.scope.Select(v.full.base)
	v.paths = ownersOf(v.full.set, v.scope)
	v.about = appendText(append(v.about, `"commit":`...), v.version.ID)
	v.about = appendText(append(v.about, `,"environment":`...), s.Environment)
}

// at is what stands at a path for who has some choices, as far as it is seen.
func (v *view) at(l layers, choices []experiment.Choice, path value.Path) (found *value.Value, ok bool) {
	if l.set == nil || len(choices) == 0 {
		found, ok = l.base.At(path)
	} else {
		found, ok = l.set.Value(l.base, choices, path)
	}
	if !ok || v.scope.Sees(path) {
		return found, ok
	}
	return v.scope.Select(experiment.Setting{Path: path, Value: found}.Tree()).At(path)
}

// target finds a flag by its key, as it is asked for; nil where nothing stands for anybody.
func (v *view) target(key string) (*target, *failure) {
	v.mu.RLock()
	t := v.targets[key]
	v.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	path, err := pathOf(key)
	if err != nil {
		return nil, &failure{http.StatusNotFound, codeNotFound, "the key is no path: " + err.Error()}
	}
	if len(path) == 0 { // all there is is no flag
		return nil, noValue(key)
	}
	if t = v.newTarget(key, path); t == nil {
		return nil, noValue(key)
	}
	v.keep(strings.Clone(key), t)
	return t, nil
}

// keep remembers a flag, unless it is large: one value may be asked for by many keys.
func (v *view) keep(key string, t *target) {
	size := t.size()
	if size > maxTargetBytes {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept += size; len(v.targets) >= maxTargets || v.kept > maxKeptBytes || v.targets == nil {
		v.targets, v.kept = map[string]*target{}, size
	}
	v.targets[key] = t
}

// pathOf reads a key: a path in any form, or one that has slashes where dots could be, because to clients a key is a part of a URL.
func pathOf(key string) (value.Path, error) {
	if len(key) > maxKey {
		return nil, value.ErrPath
	}
	path, err := value.ParsePath(key)
	if err != nil && strings.Contains(key, "/") {
		if slashed, wrong := value.ParsePath("/" + key); wrong == nil {
			return slashed, nil
		}
	}
	return path, err
}
