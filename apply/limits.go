package apply

import "time"

const (
	// MaxRemembered is how many judged commits are remembered: how far back a rollback is recognised and a rewritten history
	// finds the verdicts of the commits it kept.
	MaxRemembered = 2_000

	// maxChanges is how many changed paths a decision lists.
	maxChanges = 1000

	// maxEffects is how many effects a decision lists.
	maxEffects = 100

	// MaxTraced is how many changed values of a version are remembered, to recognise that a later one takes some of them back.
	MaxTraced = 50

	// tracedVersions is how many versions their changes are remembered of.
	tracedVersions = 500

	maxAccepted = 1000 // acceptances of operators that are remembered
	maxBeyond   = 1000 // commits between one and its baseline that are asked what the rules on commits ask
	maxAccused  = 20   // of them, how many are told of

	minAbbreviation = 7 // digits of a commit's name

	// Whoever could not tell a verdict yet is asked again after a second, and then ever more seldom.
	askFirst = time.Second
	askMost  = 5 * time.Minute

	// MaxStops is how many stops there are, of all environments together.
	MaxStops = 200

	// expireEvery is how often pins are looked through for those whose time is over.
	expireEvery = time.Second

	// retryPin is how long a pin is left alone that could not be compiled, or taken off.
	retryPin = time.Minute

	// logPatience is how long a change waits for the log before it goes live without a record, which then follows.
	logPatience = 2 * time.Second
)
