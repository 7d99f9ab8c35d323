package gitsync

import "time"

// Times.
const (
	defaultPoll = 30 * time.Second
	minPoll     = time.Second
	maxBackoff  = 15 * time.Minute

	// takeBackoff is the first wait after take refused an update.
	takeBackoff = 500 * time.Millisecond

	// lastWords is how long a remote that ended may still say why.
	lastWords = 2 * time.Second
)

// waits bounds how long a remote may keep us waiting.
type waits struct {
	list   time.Duration // to connect and to list the references
	fetch  time.Duration // for one increment of history
	clone  time.Duration // for the whole history
	silent time.Duration // without a single byte of a pack
}

var defaultWaits = waits{list: 20 * time.Second, fetch: 10 * time.Minute, clone: 2 * time.Hour, silent: time.Minute}

// Sizes and counts.
const (
	maxMessage   = 64 << 10 // bytes of a commit's message
	maxSubject   = 500      // bytes of its subject
	maxName      = 200      // bytes of a name or an address of a person
	maxCoAuthors = 50
	maxMerged    = 100    // authors of what a merge brought in
	maxMergeWalk = 10_000 // commits looked at to find them
	mergeSlop    = 64     // more of them, for clocks that went wrong
	maxLost      = 1000   // lost commits that are named one by one
	maxError     = 500    // bytes of State.LastError

	maxListing   = 64 << 20 // bytes of a reference listing
	maxErrorBody = 4 << 10  // bytes read of an HTTP error's page
	maxPack      = 16 << 30 // bytes of one pack
	maxStderr    = 4 << 10  // bytes kept of what the other side says beside the protocol
	maxRefFile   = 256      // bytes of a ref, an id or the name of a generation

	// maxPacks is when the packs are joined: reading slows with each one, threefold at about 240.
	maxPacks = 50

	// A request names what we have: the newest heads and a ladder down the history, so that a rewritten branch is fetched from
	// where it forked and not from its beginning.
	maxRecent     = 16
	maxLadderWalk = 4096
	ladderEvery   = 64 // updates

	// The cache of inflated objects is twice the newest tree, for the next one and for history, within these bounds. A cache
	// smaller than the tree makes every reading of it inflate everything again.
	minCache = 24 << 20
	maxCache = 512 << 20

	// A chain keeps two generations of so many steps, each with lists of changed files up to a weight in bytes. A generation
	// holds all that Inverse looks back at: were it smaller, every call would begin anew.
	maxSteps      = 12_000
	maxListBytes  = 16 << 20
	maxPathsBytes = 4 << 20   // of paths of which one copy is kept
	maxFiles      = 200       // changed files that are kept of a commit
	maxDiff       = 100_000   // entries of trees looked at to compare a commit with its parent
	maxDiffRead   = 1_000_000 // entries of trees read for that, those included that are the same on both sides
	maxPath       = 4 << 10   // bytes of a path; what lies deeper is not compared
	maxInverse    = 10_000    // commits that Inverse looks back
	maxChains     = 4         // folders whose chains are kept
	maxClaimed    = 100       // commits that a message names
	maxTags       = 10_000
	maxNames      = 100_000 // commits that an abbreviation is looked for among
	maxCandidates = 20      // commits that are named when an abbreviation means several

	// minAbbreviation is how many digits name a commit: Git's own least default.
	minAbbreviation = 7

	maxSuspects   = 1000 // unreadable objects that were looked into
	maxBranchName = 240
	maxHintNames  = 3

	maxKeyring    = 4 << 20  // bytes of one source of a keyring
	maxKeys       = 10_000   // keys of a keyring
	maxSignature  = 16 << 10 // bytes of a commit's signature
	minRSA        = 2048     // bits
	maxMailmap    = 1 << 20  // bytes
	maxMapLine    = 4 << 10  // bytes of a line of it
	maxMapEntries = 100_000  // lines of it that say something
)
