package value

// Op is what an overlay does at a path.
type Op string

// The operations of overlays.
const (
	// OpSet: it puts a value where nothing stands beneath.
	OpSet Op = "set"
	// OpMerge: its map joins the map beneath.
	OpMerge Op = "merge"
	// OpReplace: it puts a value in the place of another, or has a {$patch: replace} at the path or above it.
	OpReplace Op = "replace"
	// OpDelete: it takes away what stands beneath, by a {$patch: delete} at the path or above it, or because what it puts in the place
	// of something above the path holds it no longer.
	OpDelete Op = "delete"
)

// Effect tells what an overlay does at a path to what is beneath it, where [Merger.Merge] lays the one over the other without a
// conflict. own is what it writes there, merge controls included; nil for a deletion. place is where that is written, or what
// deletes: the merge control, or the list or scalar above. It is not ok where the overlay leaves what is beneath as it is. A nil
// beneath is nothing.
func Effect(beneath, overlay *Value, path Path) (own *Value, op Op, place Pos, ok bool) {
	if overlay == Empty {
		return nil, "", Pos{}, false
	}
	own, taker, replaced := reached(overlay, path)
	var was *Value
	if beneath != nil {
		was, _ = beneath.At(path)
	}
	switch {
	case own == nil && taker != nil && was != nil:
		return nil, OpDelete, taker.Pos(), true
	case own == nil:
		return nil, "", Pos{}, false
	case replaced:
		op = OpReplace
	case was == nil:
		op = OpSet
	case own.Kind() == Map && was.Kind() == Map && taker == nil:
		op = OpMerge
	default:
		op = OpReplace
	}
	return own, op, written(own).Pos(), true
}

// reached is what an overlay itself writes at a path, or nil. taker is what takes away all that is beneath the path, if something
// does; replaced tells that it is a {$patch: replace}, or that there is one above it.
func reached(overlay *Value, path Path) (own, taker *Value, replaced bool) {
	own = overlay
	for i := 0; ; i++ {
		control, patched := own.Get(PatchKey)
		switch {
		case patched && control.Str() == "delete":
			return nil, control, replaced
		case patched:
			taker, replaced = control, true
		case own.Kind() != Map && i < len(path):
			taker = own
		}
		if i == len(path) {
			return own, taker, replaced
		}
		next, there := own.Step(path[i])
		if !there || own.Kind() == Map && path[i] == PatchKey {
			return nil, taker, replaced
		}
		own = next
	}
}
