package apply

import "time"

const (
	// MaxRemembered is how many judged commits are remembered: how far back a rollback is recognised and a rewritten history
	// finds the verdicts of the commits it kept.
	MaxRemembered = 2_000

	// maxChanges is how many changed paths a decision lists.
	maxChanges = 1000

	// logPatience is how long a change waits for the log before it goes live without a record, which then follows.
	logPatience = 2 * time.Second
)
