package validator

import "time"

// Times.
const (
	commandTimeout = 5 * time.Second
	urlTimeout     = 3 * time.Second
	minTimeout     = 100 * time.Millisecond
	maxTimeout     = 30 * time.Second

	// lingering is how long what a command left running may hold its output.
	lingering = 250 * time.Millisecond
)

// Sizes and counts.
const (
	maxSettings   = 64 << 10 // bytes of the settings file
	maxValidators = 16

	// maxTurns is how many questions are asked at a time. Each holds the configuration twice.
	maxTurns = 8

	maxAnswer   = 1 << 20  // bytes
	maxHeaders  = 64 << 10 // bytes of an HTTP answer's headers
	maxToken    = 16 << 10 // bytes
	maxStderr   = 4 << 10  // bytes that are kept
	maxProblems = 100      // of an answer; errors are kept first

	// Bytes of what is passed on of an answer or an error. The rest is cut off.
	maxPath    = 1024
	maxRule    = 100
	maxMessage = 1000
	maxHint    = 500
	maxReason  = 200
)
