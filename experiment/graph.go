package experiment

// graph is which files lead on to which.
type graph map[file][]file

// depths is how many files lead on from each, counted along the longest way. What leads to a circle, or lies on one, is not among them.
func (g graph) depths() map[file]int {
	depths := map[file]int{}
	waiting := map[file]int{}   // for how many of those it leads on to
	before := map[file][]file{} // who leads on to it
	var ready []file
	for name, next := range g {
		for _, n := range next {
			if _, there := g[n]; there {
				waiting[name]++
				before[n] = append(before[n], name)
			}
		}
		if waiting[name] == 0 {
			ready = append(ready, name)
		}
	}
	for len(ready) > 0 {
		name := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		depth := 0
		for _, n := range g[name] {
			depth = max(depth, depths[n]+1)
		}
		depths[name] = depth
		for _, b := range before[name] {
			if waiting[b]--; waiting[b] == 0 {
				ready = append(ready, b)
			}
		}
	}
	return depths
}

// onCircles are the files that lead on to a circle and that a circle leads on to: those on it, and those between two.
func (g graph) onCircles() map[file]bool {
	forward, back := g.depths(), g.turned().depths()
	on := map[file]bool{}
	for name := range g {
		_, ends := forward[name]
		_, begins := back[name]
		on[name] = !ends && !begins
	}
	return on
}

func (g graph) turned() graph {
	turned := graph{}
	for name := range g {
		turned[name] = nil
	}
	for name, next := range g {
		for _, n := range next {
			if _, there := g[n]; there {
				turned[n] = append(turned[n], name)
			}
		}
	}
	return turned
}
