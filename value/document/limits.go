package document

// Limits bound what one document may cost. The zero value of a field means its default.
type Limits struct {
	MaxBytes int // of the file; default 1 MiB
	MaxNodes int // maps, lists and scalars, aliases expanded; default 2,000,000
	MaxKeys  int // members of one map; default 50,000
}

// Defaults of [Limits], and bounds that cannot be set.
const (
	DefaultMaxBytes = 1 << 20
	DefaultMaxNodes = 2_000_000
	DefaultMaxKeys  = 50_000

	// aliasFactor and maxAliased bound what aliases and merge keys may expand to: so many times the nodes that were written,
	// and never more than so many.
	aliasFactor = 10
	maxAliased  = 100_000

	// MaxChanges is how many changes one edit of a document may make.
	MaxChanges = 1000

	// maxProblems ends the reading of a document: nobody mends more at a time.
	maxProblems = 100
)

func (l Limits) withDefaults() Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = DefaultMaxBytes
	}
	if l.MaxNodes == 0 {
		l.MaxNodes = DefaultMaxNodes
	}
	if l.MaxKeys == 0 {
		l.MaxKeys = DefaultMaxKeys
	}
	return l
}
