package compile

// Limits of one commit. What they refuse is a problem of the commit, never an error of the server.
const (
	// MaxFiles is how many files of all recognised directories together are read.
	MaxFiles = 2000
	// MaxTreeBytes is how much they may hold together.
	MaxTreeBytes = 10 << 20
	// MaxFileBytes is how large one file may be.
	MaxFileBytes = 1 << 20
	// MaxProblems is how many findings of one stage are kept; the others are counted.
	MaxProblems = 100
	// MaxEffects is how many effects of one commit are told.
	MaxEffects = 1000
	// MaxEnvironments is how many environments a manifest may name.
	MaxEnvironments = 64

	// policiesCost is what the policies of one commit may cost in one environment, in units of CEL's cost model.
	policiesCost = 2_000_000

	maxGlobs        = 200    // of one list of the manifest
	maxBindings     = 1000   // schemas that the manifest binds
	maxSought       = 20_000 // values looked at for the first that a pattern selects
	maxPathBytes    = 1024
	maxFolderDepth  = 32
	maxCollected    = 10_000      // problems of a stage that are told apart before the worst are chosen
	maxSchemaFinds  = 1000        // findings of one schema against one value
	maxCompared     = 300_000_000 // values of enums compared in one judgement
	comparedPerStep = 100         // values compared in the time of a step
	maxSchemaTotal  = 12_000_000  // steps of all judgements of a commit in one environment
	maxSchemaSteps  = 3_000_000   // of one judgement: a value asked by a schema is one
	maxMarks        = 2000        // sensitive places that one schema may name; beyond it everything below it is sensitive
	maxMarkWork     = 200_000     // steps of looking for them
)
