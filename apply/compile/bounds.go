package compile

import "fmt"

// bounds holds the tree to the bounds of its own manifest and of its baselines', which it can only tighten.
func (r *run) bounds() {
	most := serverBounds // which hold for what was judged before, too
	if len(r.open()) > 0 {
		most = r.own.Bounds
	}
	for env, base := range r.baselines {
		if !r.against.settled(env) {
			most = most.tightest(base.Manifest.Bounds)
		}
	}
	files, bytes := int64(0), int64(0)
	r.eachFolder(func(f *folder) {
		f.each(func(f file) {
			if files, bytes = files+1, bytes+f.size; f.size > most.FileBytes {
				r.everywhere(fileTooLarge(f.path, f.size, most.FileBytes))
			}
		})
	})
	if files > most.Files {
		r.everywhere(Problem{
			Stage: StageTree, Rule: "tooManyFiles", Message: fmt.Sprintf("the config repo holds %d files, more than %d", files, most.Files),
			Hint: "join small files, or split the repo",
		})
	}
	if bytes > most.TreeBytes {
		r.everywhere(Problem{
			Stage: StageTree, Rule: "treeTooLarge", Message: fmt.Sprintf("the config repo's files hold %d bytes, more than %d", bytes, most.TreeBytes),
			Hint: "split the repo",
		})
	}
}

func (r *run) eachFolder(visit func(*folder)) {
	visit(r.layout.schemas)
	visit(r.layout.policies)
	for _, f := range r.layout.defined {
		visit(f)
	}
	r.eachLayer(visit)
}

// eachLayer goes through the folders of values.
func (r *run) eachLayer(visit func(*folder)) {
	visit(r.layout.config)
	for _, f := range r.layout.overlays {
		visit(f)
	}
}
