package notify

import "time"

const (
	// MaxSessions is how many sessions one server holds, unless it is bounded further.
	MaxSessions = 100_000
	// MaxViews is how many different views sessions may have: each keeps values of its own.
	MaxViews = 20_000

	// MaxVersionsTold and MaxClientsTold are how many of each [Hub.Convergence] tells one by one, and MaxRejectionsTold how many
	// rejections.
	MaxVersionsTold   = 20
	MaxClientsTold    = 50
	MaxRejectionsTold = 20

	sendBuffer = 64 << 10 // of a socket, in bytes: the kernel's own default would swallow megabytes for a client that reads nothing
	readBuffer = 4 << 10  // of which there are as many as sessions are being read from
	chunkBytes = 64 << 10 // of the text of values in one chunk: what a full socket holds up is kept for each session
	minDeflate = 256      // bytes, beneath which compressing gains nothing
	maxTail    = 512      // frames, of 127 bytes each but for one, that control frames may add to a full socket
	kept       = 64       // states of a view, or versions of an environment, from which a client can be brought on by a delta
	maxEcho    = 200      // bytes of a client's own text in what it is answered
	maxCredit  = 1000     // messages that a client may owe for frames it was sent
	lookedBack = 4        // versions in which the state of a cursor is looked for by what they would have shown to the client itself
	leastSwept = 64       // names of what is in use, below which nothing is tidied up

	mostAgain    = 16          // definitions are decided again one by one: where it is more, all are
	usualChoices = 32          // for which there is room at once
	longestSleep = time.Minute // until the clock is looked at again: it may be set, or have slept

	comeBack = 10 * time.Second // after which a client that found the server full may ask again

	lingerBytes = 1 << 20
	pingSteps   = 25 // into which an interval of pings is divided
)

// leastAgain is how many members of a view must gain by it that only what changed is decided again: to find that out looks at all
// definitions. A test lowers it.
var leastAgain = 16

// limits are those that a test shortens.
type limits struct {
	sessions, views int
	hello           time.Duration // to say hello
	write           time.Duration // how long a full socket may stay full before its session ends
	ping            time.Duration
	silence         time.Duration // three pings without any word from the client
	message         time.Duration // from the first byte of a message to its last
	linger          time.Duration // for a client to read why its session ended
	goawayLeast     time.Duration // after which clients are asked to come back
	goawaySpread    time.Duration // over which they are asked to
	renewSpread     time.Duration // over which clients whose credential has ended are asked to show their new one
	tellAgain       time.Duration // for which what was found out about all sessions counts

	bytes    rate // of what one client sends
	messages rate // control frames among them, beside one for each frame that the client was sent
	updates  rate
	faults   rate // that are logged
}

var usual = limits{
	sessions: MaxSessions, views: MaxViews, hello: 10 * time.Second, write: 30 * time.Second, ping: 25 * time.Second,
	silence: 80 * time.Second, message: 10 * time.Second, linger: time.Second, goawayLeast: 500 * time.Millisecond,
	goawaySpread: 5 * time.Second, renewSpread: time.Second, tellAgain: time.Second,
	bytes: rate{time.Second / (64 << 10), 1 << 20}, messages: rate{time.Second / 10, 200}, updates: rate{2 * time.Second, 10},
	faults: rate{time.Minute, 5},
}

// rate bounds how often something happens: once in a time, and so many times at once.
type rate struct {
	every time.Duration
	burst int
}

// take counts n more, and reports false where that is too much. full is when all that was taken will count no longer, told like now
// since some fixed moment: it is all that has to be kept.
func (r rate) take(full *time.Duration, now time.Duration, n int) bool {
	next := max(*full, now) + time.Duration(n)*r.every
	if next-now > time.Duration(r.burst)*r.every {
		return false
	}
	*full = next
	return true
}
