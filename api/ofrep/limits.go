package ofrep

import "time"

const (
	// MaxStreams is how many event streams are held when Options do not say.
	MaxStreams = 5000

	maxBody        = 64 << 10 // bytes of a request
	maxKey         = 4096     // bytes of a flag's key
	maxNames       = 256      // of attributes, kept by each reader of bodies, of at most so many bytes
	maxName        = 64
	maxRecent      = 1024 // contexts that are remembered, of bodies of at most so many bytes
	maxRecentBody  = 1 << 10
	maxFlags       = 5000      // that one answer lists
	maxBulkBytes   = 4 << 20   // of them as JSON, once they are written with what is configured
	maxViews       = 1000      // of versions and grants that are kept
	maxTargets     = 10_000    // flags of one of them that were asked for
	maxTargetBytes = 256 << 10 // of one that is kept, and of all that a view keeps
	maxKeptBytes   = 8 << 20
	maxEnded       = 20_000 // streams that ended, remembered

	heartbeat     = 20 * time.Second // between comments that keep a stream open
	writePatience = 10 * time.Second // for a reader to take an event
	retryLeast    = 1000             // milliseconds after which a browser opens a stream again, and how much more at most
	retrySpread   = 4000
)
