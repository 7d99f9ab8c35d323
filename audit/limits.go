package audit

import "time"

const (
	// MaxRecordBytes is how large one record may be. A larger one is shortened and says so.
	MaxRecordBytes = 256 << 10
	// MaxPending is how many records wait in memory for a log that cannot take them. Beyond it they are not kept: the next start
	// makes them again from the commits.
	MaxPending = 50_000
	// MaxVersions is how many versions one listing holds.
	MaxVersions = 200

	maxStoreBytes = 10 << 30 // when it is full the log refuses more, and says so; nothing is dropped
	maxReplayed   = 128_000  // records read at start: of as many commits as are remembered, in as many environments as there may be
	maxProblems   = 100      // kept in a record that has to be shortened, to begin with
	maxText       = 4096     // of a commit's message in a record, in bytes

	publishPatience = 10 * time.Second // an election of the bus takes up to nine
	retryFirst      = 100 * time.Millisecond
	retryMost       = 10 * time.Second
)
