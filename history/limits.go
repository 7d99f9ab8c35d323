package history

import "time"

const (
	// MaxChanges is how many changes one difference lists.
	MaxChanges = 5_000
	// MaxPaths is how many paths one matrix lists.
	MaxPaths = 5_000
	// MaxEntries is how many values one blame tells of.
	MaxEntries = 1_000
	// MaxWalked is how many commits are looked at for the one that changed a value.
	MaxWalked = 10_000

	// Of one answer, in values: a scalar is one, a map or a list one more than what it holds.
	maxAnswerWeight = 400_000
	maxShownWeight  = 2_000 // of one layer in an explanation

	maxChanged = 100 // paths that a change of a whole map is told by

	// Of what is kept. The environments of a version share most of their values, and so count as the largest of them. A value takes
	// about 100 bytes: two versions of 10 MB find room, and eight small ones.
	maxCommits = 8
	maxWeight  = 1_500_000
	maxBlames  = 50_000 // values whose last change is known; one with a long path counts for several
	keptFor    = 10 * time.Minute
	dropEvery  = time.Minute

	// indexAfter is when the history is looked at before anybody asks: not while a start still has work for all processors.
	indexAfter = 10 * time.Second

	// Of what is done at a time.
	maxWalks   = 2
	maxWaiting = 32 // for a turn to compile or to walk; others are turned away

	// waitPatience is how long one waits for a turn: whoever asks must still be there to take the answer.
	waitPatience = 15 * time.Second

	shortestName = 7       // digits of a commit's name
	maxAncestors = 5       // that are compiled for their marks, where the log does not know the baseline
	maxSought    = 100_000 // commits that are looked at for the one of a time
	maxGroups    = 32      // of values that are looked for in files of their own

	// walkPatience is how long one walk down the history may take. The next one goes on where it stopped.
	walkPatience = 10 * time.Second
	// removalPatience is the same where nothing stands at a path, which may be mistyped.
	removalPatience = 2 * time.Second
)
