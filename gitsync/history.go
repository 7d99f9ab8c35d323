package gitsync

import (
	"bytes"
	"strconv"
)

// links are what a walk through history needs of a commit. Reading no more makes a walk several times faster.
type links struct {
	tree    Hash
	parents []Hash
	when    int64 // committed, in Unix seconds
}

func (l links) first() Hash {
	if len(l.parents) == 0 {
		return Hash{}
	}
	return l.parents[0]
}

func (s *store) links(h Hash) (links, error) {
	data, err := s.rawCommit(h)
	if err != nil {
		return links{}, err
	}
	return parseLinks(data), nil
}

// parseLinks reads what Git does: the tree stands first and the parents right behind it. What stands elsewhere is none.
func parseLinks(data []byte) links {
	var l links
	atHead := true
	for line := range bytes.Lines(data) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		key, value, _ := bytes.Cut(line, []byte(" "))
		switch string(key) {
		case "":
			return l
		case "tree":
			if atHead = atHead && l.tree.IsZero(); !atHead {
				continue
			}
			if h, err := ParseHash(string(value)); err == nil {
				l.tree = h
			}
		case "parent":
			if h, err := ParseHash(string(value)); err == nil && atHead {
				l.parents = append(l.parents, h)
			}
		case "committer":
			l.when = stamp(value)
			return l
		default:
			atHead = false
		}
	}
	return l
}

// stamp is the time in `Name <address> 1700000000 +0100`.
func stamp(committer []byte) int64 {
	fields := bytes.Fields(committer[bytes.LastIndexByte(committer, '>')+1:])
	if len(fields) == 0 {
		return 0
	}
	when, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return when
}

// chain is the first-parent chain from a commit, newest first, down to the commit before stop, or to the beginning. found tells
// whether it met stop.
func (s *store) chain(from, stop Hash) (list []Hash, found bool, err error) {
	for at := from; !at.IsZero(); {
		if at == stop {
			return list, true, nil
		}
		list = append(list, at)
		l, err := s.links(at)
		if err != nil {
			return nil, false, err
		}
		at = l.first()
	}
	return list, false, nil
}

// reach is every commit reachable from one, itself included.
func (s *store) reach(from Hash) (map[Hash]bool, error) {
	seen := map[Hash]bool{from: true}
	for todo := []Hash{from}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		l, err := s.links(at)
		if err != nil {
			return nil, err
		}
		for _, p := range l.parents {
			if !seen[p] {
				seen[p] = true
				todo = append(todo, p)
			}
		}
	}
	return seen, nil
}

// reaches tells whether target is reachable from a commit. below holds what is known to lie at or below target: there the
// search need not go.
func (s *store) reaches(from, target Hash, below map[Hash]bool) (bool, error) {
	seen := map[Hash]bool{from: true}
	for todo := []Hash{from}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if at == target {
			return true, nil
		}
		if below[at] {
			continue
		}
		l, err := s.links(at)
		if err != nil {
			return false, err
		}
		for _, p := range l.parents {
			if !seen[p] {
				seen[p] = true
				todo = append(todo, p)
			}
		}
	}
	return false, nil
}
