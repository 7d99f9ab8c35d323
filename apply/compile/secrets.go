package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// plainSecret is a string of a document that should not stand there in plain text.
type plainSecret struct {
	path    value.Path // below the document
	at      *value.Value
	what    string
	certain bool
}

// plainSecrets looks through a document. What SOPS encrypted has no plain text.
func plainSecrets(doc *value.Value) []plainSecret {
	if doc == nil {
		return nil
	}
	return secretsBelow(nil, "", doc, encrypted(doc))
}

// secretsBelow looks through what stands at a path below a key.
func secretsBelow(path value.Path, key string, v *value.Value, sops bool) (found []plainSecret) {
	var walk func(key string, v *value.Value)
	walk = func(key string, v *value.Value) {
		if v.Kind() == value.String && (!sops || !strings.HasPrefix(v.Str(), "ENC[")) {
			if what, certain := value.PlainSecret(key, v.Str()); what != "" {
				found = append(found, plainSecret{slices.Clone(path), v, what, certain})
			}
			return
		}
		for i, e := range v.Entries() {
			below := e.Key
			if v.Kind() == value.List {
				below = fmt.Sprint(i)
			} else {
				key = e.Key
			}
			path = append(path, below)
			if !sops || len(path) > 1 || below != "sops" {
				walk(key, e.Value)
			}
			path = path[:len(path)-1]
		}
	}
	walk(key, v)
	return found
}

// settingSecret is a secret in plain text that an arm sets.
type settingSecret struct {
	plainSecret
	environments []string // of the rollout or the experiment
}

// settingSecrets looks through what rollouts and experiments set, whether they are in effect or not. Their paths are those of the
// configuration.
func settingSecrets(d *experiment.Definitions) (found []settingSecret) {
	add := func(environments []string, settings []experiment.Setting) {
		for _, s := range settings {
			for _, secret := range secretsBelow(slices.Clone(s.Path), s.Path[len(s.Path)-1], s.Value, false) {
				found = append(found, settingSecret{secret, environments})
			}
		}
	}
	for _, x := range d.Rollouts() {
		add(x.Environments, x.Set)
		for _, rule := range x.Rules {
			add(x.Environments, rule.Set)
		}
	}
	for _, x := range d.Experiments() {
		for _, variant := range x.Variants {
			add(x.Environments, variant.Set)
		}
	}
	return found
}

// encrypted tells whether a document was written by SOPS.
func encrypted(doc *value.Value) bool {
	meta, ok := doc.Get("sops")
	if !ok {
		return false
	}
	_, mac := meta.Get("mac")
	_, version := meta.Get("version")
	return mac && version
}

// applySecrets is the part of stage 7 that looks for secrets in plain text. The baseline says which paths may hold them.
func (r *run) applySecrets() {
	if len(r.open()) == 0 {
		return
	}
	report := func(envs []string) func(file) {
		return func(f file) {
			if doc := r.parsed[f.path]; doc != nil {
				for _, s := range doc.secrets {
					r.plainSecret(append(slices.Clone(f.mount), s.path...), s, envs)
				}
			}
		}
	}
	r.layout.config.each(report(r.all))
	for _, name := range slices.Sorted(maps.Keys(r.layout.overlays)) {
		r.layout.overlays[name].each(report(r.own.above(name)))
	}
	for _, s := range r.defined.secrets {
		r.plainSecret(s.path, s.plainSecret, r.servedOf(s.environments))
	}
}

func (r *run) plainSecret(path value.Path, s plainSecret, envs []string) {
	envs = slices.DeleteFunc(slices.Clone(envs), func(env string) bool {
		if r.against.settled(env) {
			return true
		}
		allowing := r.own
		if base := r.baselines[env]; base != nil {
			allowing = base.Manifest
		}
		return covered(allowing.PlainSecrets, path)
	})
	p := Problem{
		Stage: StageCommit, Environments: envs, Path: path.String(), Pointer: path.Pointer(), Rule: "plainSecret",
		Message: "the value is " + s.what + " in plain text, readable by all who read the repository",
		Hint:    "revoke it and keep secrets elsewhere, or allow the path in " + ManifestFile + ": secrets: {allow: [" + path.String() + "]}",
	}.at(s.at)
	if covered(r.own.PlainSecrets, path) {
		p.Hint = "what " + ManifestFile + " allows counts from the next commit on: commit the allowance first, alone"
	}
	if !s.certain {
		p.Severity = Warning
		p.Message = "the value looks like a secret in plain text: a " + strings.TrimPrefix(s.what, "a ")
	}
	r.found.add(p)
}

// encryptedMarks are the patterns of what SOPS encrypted: nobody is shown it without the right.
func (r *run) encryptedMarks() []value.Pattern {
	var marks []value.Pattern
	r.eachLayer(func(folder *folder) {
		folder.each(func(f file) {
			if doc := r.parsed[f.path]; doc != nil && doc.value != nil && encrypted(doc.value) {
				marks = append(marks, subtreePattern(f.mount))
			}
		})
	})
	return marks
}

// subtreePattern selects a path with all below it.
func subtreePattern(path value.Path) value.Pattern {
	text := "**"
	if len(path) > 0 {
		text = path.String() + ".**"
	}
	return must(value.ParsePattern(text))
}
