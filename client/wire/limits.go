package wire

// Limits of what a client may send.
const (
	MaxClientMessage = 64 << 10 // bytes
	MaxPatterns      = 100
	MaxNameLength    = 128      // of the client's name and version, and of the environment, in bytes
	MaxReasonLength  = 1024     // of a nack, in bytes
	MaxContext       = 16 << 10 // bytes
	MaxCursorLength  = 128
)

// Limits of what a server sends.
const (
	// MaxWhole is how large values, or a patch, may be to travel in one message, in bytes. Larger values come in chunks; in the place
	// of a larger patch comes a snapshot.
	MaxWhole = 256 << 10
	// MaxChunks is how many chunks one snapshot may have.
	MaxChunks = 4096
)
