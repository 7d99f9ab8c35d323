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
	// MaxEntries is how many records one answer to a query holds.
	MaxEntries = 1000

	maxStoreBytes = 10 << 30 // when it is full the log refuses more, and says so; nothing is dropped
	trimRoom      = 1 << 20  // beyond it, while a full log is trimmed: for the checkpoint and the record that is being tried
	maxReplayed   = 128_000  // records read at start, and held by the index: as many commits as are remembered, in as many environments as there may be
	maxTraced     = 32_000   // of them, those whose changes are remembered too
	maxCrewBytes  = 8 << 20  // of the names in the index
	maxPinMarks   = 10_000   // pins, and ends of pins, in the index
	maxProblems   = 100      // kept in a record that has to be shortened, to begin with
	maxText       = 4096     // of a commit's message in a record, in bytes
	maxCarried    = 1000     // acceptances that a checkpoint keeps: as many as are remembered
	maxKeptReason = 512      // of the reason of a pin that a checkpoint keeps, in bytes
	maxKeptStop   = 128      // of who stopped something, and of the reason, in bytes

	// Of an event, in bytes but for the number of details.
	maxKindBytes    = 32
	maxByBytes      = 256
	maxDetails      = 32
	maxDetailKey    = 64
	maxDetailBytes  = 1024
	maxPatternBytes = 1024 // of an author or a path in a query
	maxKindsAsked   = 32
	maxCommitDigits = 40

	maxBatch       = 256      // records asked of the bus at a time
	maxBatchBytes  = 1 << 20  // of them, but for the last
	maxBackwards   = 64       // records asked at a time when they are read from the newest down
	searchedBlock  = 1024     // whoever may not see all is told of no place in the log but the ends of such blocks
	searchedBlocks = 16       // that one of their queries goes through
	nearby         = 16       // records that are this close to each other are read with all between them
	maxLooked      = 10_000   // records that one query reads; then it answers what it has found
	maxAnswer      = 8 << 20  // bytes of its records, but for the last
	maxListed      = 24 << 20 // bytes of the records of one listing of versions, but for those of the last
	maxReported    = 500_000  // records that one report reads
	maxRestarts    = 5        // of a verification, because the log was trimmed meanwhile

	maxCellBytes = 32_000 // of a table; spreadsheets take 32,767 characters

	// Of a report.
	maxRows     = 1000 // of each list
	maxRules    = 100
	maxExamples = 3
	maxNewest   = 10 // events of each kind that are told one by one

	publishPatience = 10 * time.Second // an election of the bus takes up to nine
	readPatience    = 10 * time.Second // for the next record of a batch
	followPoll      = 2 * time.Second  // between looks for records that another process has stored
	lateness        = time.Hour        // by which a record may be stored later than it tells, to be found by its time where there is no index
	retryFirst      = 100 * time.Millisecond
	retryMost       = 10 * time.Second
)
