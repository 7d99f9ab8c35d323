package webhook

const (
	// maxBody bounds what a stranger can make us read and hash. A push of a
	// few hundred commits fits; a larger one is found by the poll.
	maxBody = 1 << 20

	// minSecret is the shortest secret, in bytes, that is taken. Anyone who
	// has seen one delivery can guess at a shorter one offline.
	minSecret = 16

	// maxDelivery cuts the delivery's name, which the signature does not
	// cover, before it is logged.
	maxDelivery = 64
)
