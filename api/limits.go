package api

import "time"

const (
	maxSights = 1000 // narrowed versions that are kept

	// The key that a mistyped one means is looked for among so many, of so many bytes.
	maxNearest  = 1000
	maxMistyped = 100

	maxBody   = 64 << 10 // bytes of a request
	maxReason = 1000     // bytes of what an operator gives as a reason

	maxFollowers         = 16 // of the audit log
	maxFollowersIdentity = 4  // with one credential, or without one from one address

	maxCompared = 64  // environments of one matrix
	maxVerdicts = 200 // records that one blame looks up

	maxLookedInto = 50   // versions that one listing looks into for what is left of a map that came or went
	maxWithins    = 1000 // of what was found there, kept

	usualPeriod   = 30 * 24 * time.Hour
	notePatience  = 2 * time.Second
	writePatience = time.Minute
	largeAnswer   = 32 << 10 // bytes that a socket takes without waiting for the client
)
