package client

import "time"

const (
	maxExplanation = 4 << 10 // bytes of a refusal

	envelope = 64 << 10 // bytes of a message, or a file, beside the values in it

	maxDefinitions = 16 << 20 // bytes of them as JSON
	maxAssignments = 10_000

	mostAsked = 5 * time.Minute // that a server may ask to wait
	dialTime  = 10 * time.Second
	writeTime = 10 * time.Second
	closeTime = 2 * time.Second // for the close code after an error
)

// bounds are what a server may send, so that one that is at fault, or not ours, cannot exhaust the program.
type bounds struct {
	bytes int // of all values as JSON
	nodes int // values: maps, lists, and what is in them
}

var usualBounds = bounds{bytes: 64 << 20, nodes: 4_000_000}

// times are those that a test shortens.
type times struct {
	firstRetry, mostRetry time.Duration
	silence               time.Duration // without a word, after which the connection counts as dead
	kept                  time.Duration // for the first connection, before the values kept on disk will do
	update                time.Duration // between two updates
	settled               time.Duration // for which a connection must have lasted to count as good
	assign                time.Duration // after a greeting, for the assignments: without a word there are none
}

var usualTimes = times{
	firstRetry: 200 * time.Millisecond, mostRetry: 30 * time.Second, silence: 70 * time.Second, kept: 3 * time.Second, update: 2 * time.Second,
	settled: 10 * time.Second, assign: 2 * time.Second,
}
