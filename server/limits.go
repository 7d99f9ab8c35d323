package server

import "time"

const (
	idleTimeout = 2 * time.Minute
	maxHeader   = 32 << 10 // bytes

	// What connections leave of the process's descriptors: some to the mirror, the log, fetches and validators, and beside them some
	// that sessions leave to requests.
	keptForFiles    = 256
	keptForRequests = 768

	addressShare = 4 // one address has a quarter of the connections that are no sessions
	streamsShare = 4 // event streams are at most a quarter of the sessions that there may be

	maxTrimBytes  = 64 << 10 // of the body
	maxTrimReason = 1000
	trimPatience  = 10 * time.Minute // for a log that is as large as it may be

	maxKeyBytes = 4096 // of the file of the fingerprints' key

	// Reads of sensitive values, within a minute.
	maxReveals         = 10_000 // that are told apart
	maxIdentityReveals = 200    // of one identity
	maxRevealed        = 10_000 // identities
	maxRevealedIn      = 64     // environments of one identity, of what is not told apart; the others count as one without a name
	maxRevealedPath    = 2 << 10

	notePatience   = 2 * time.Second        // for notes together; what the log does not take in time follows
	changePatience = 200 * time.Millisecond // for those of changed files: who takes up changes ends sessions, too
	sizePatience   = time.Second            // for the log to answer a scrape

	stopWithin  = 9 * time.Second        // to end when told to, but for closing files: supervisors allow ten seconds, and kill then
	closeWithin = 700 * time.Millisecond // for that, beside it
)

// timeouts are those that a test shortens.
type timeouts struct {
	header  time.Duration // for a request to come, without its body
	request time.Duration // with it
	answer  time.Duration // for an answer to be taken
}

var usualTimeouts = timeouts{header: 10 * time.Second, request: 30 * time.Second, answer: time.Minute}
