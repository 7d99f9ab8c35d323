package notify

import "time"

const (
	// MaxSessions is how many sessions one server holds, unless it is bounded further.
	MaxSessions = 100_000
	// MaxViews is how many different views sessions may have: each keeps values of its own.
	MaxViews = 20_000

	sendBuffer = 64 << 10 // of a socket, in bytes: the kernel's own default would swallow megabytes for a client that reads nothing
	readBuffer = 512
	maxTail    = 512 // frames, of 127 bytes each but for one, that control frames may add to a full socket
	kept       = 64  // states of a view, or versions of an environment, from which a client can be brought on by a delta
	maxEcho    = 200 // bytes of a client's own text in what it is answered

	comeBack = 10 * time.Second // after which a client that found the server full may ask again

	lingerBytes = 1 << 20
	pingSteps   = 25 // into which an interval of pings is divided
)

// limits are those that a test shortens.
type limits struct {
	sessions, views int
	hello           time.Duration // to say hello
	write           time.Duration // how long a full socket may stay full before its session ends
	ping            time.Duration
	silence         time.Duration // three pings without any word from the client
	linger          time.Duration // for a client to read why its session ended
	goawayLeast     time.Duration // after which clients are asked to come back
	goawaySpread    time.Duration // over which they are asked to
	renewSpread     time.Duration // over which clients whose credential has ended are asked to show their new one
}

var usual = limits{
	sessions: MaxSessions, views: MaxViews, hello: 10 * time.Second, write: 30 * time.Second, ping: 25 * time.Second,
	silence: 80 * time.Second, linger: time.Second, goawayLeast: 500 * time.Millisecond, goawaySpread: 5 * time.Second,
	renewSpread: time.Second,
}
