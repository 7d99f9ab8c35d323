package experiment

import "time"

// Limits of the files and of those who ask. What they refuse is a problem of the file, or an error of the caller.
const (
	// MaxRules is how many rules a rollout has at most, and MaxVariants how many variants an experiment.
	MaxRules    = 100
	MaxVariants = 20
	// MaxSettings is how many paths one arm sets.
	MaxSettings = 200
	// MaxForced is how many units one file forces.
	MaxForced = 1000
	// MaxPrerequisites is how many prerequisites one file has, and MaxPrerequisiteDepth how many of them lead on to each other.
	MaxPrerequisites     = 10
	MaxPrerequisiteDepth = 10
	// MaxSegmentDepth is how many segments lead on to each other.
	MaxSegmentDepth = 8
	// MaxSteps is how many steps a ramp has.
	MaxSteps = 100
	// MaxRanges is how many ranges one list of slots has.
	MaxRanges = 200
	// MaxSalt is how long a salt may be, in bytes.
	MaxSalt = 64
	// MaxKey is how long the name of a file, a rule or a variant may be, in bytes.
	MaxKey = 128
	// MaxRamp is how long a ramp lasts.
	MaxRamp = 2 * 365 * 24 * time.Hour
	// MaxProblems is how many problems of one file are told. No file that is wrong is passed over, however many there are.
	MaxProblems = 20

	// MaxContextBytes is how large the attributes of one client may be as JSON, MaxAttributes how many values they hold, maps and lists
	// included, and MaxContextDepth how deep they lie in each other.
	MaxContextBytes = 16 << 10
	MaxAttributes   = 256
	MaxContextDepth = 5
	// MaxUnit is how long the name of a unit may be, in bytes.
	MaxUnit = 1024

	// MaxAllSettings is how many paths the arms of all files of a tree set together, MaxAllRules how many rules all its rollouts have, and
	// MaxAllConditions how long all its conditions are, in bytes: what a tree costs is bounded however many files it has.
	MaxAllSettings   = 20_000
	MaxAllRules      = 5_000
	MaxAllConditions = 1 << 20

	// MaxExported is how many documents an export holds.
	MaxExported = 10_000

	maxMessage = 1000 // bytes of the message or the hint of a problem
	maxHints   = 100  // hints about what files say of each other that take long to find
	maxTaken   = 20   // paths that an effect names in its text
)
