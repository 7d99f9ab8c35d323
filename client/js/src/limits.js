// The bounds of this client, in one place. Those of messages are the protocol's.

/** Of what a client sends. */
export const MAX_MESSAGE = 64 << 10; // bytes
export const MAX_PATTERNS = 100;
export const MAX_NAME = 128; // of the client's name and version, and of the environment, in bytes
export const MAX_REASON = 1024; // of a nack, in bytes
export const MAX_CONTEXT = 16 << 10; // bytes
export const MAX_CONTEXT_DEPTH = 5; // of maps and lists in one another
export const MAX_ATTRIBUTES = 256; // values of a context, with the maps and lists

/** Of what a server sends. */
export const MAX_CHUNKS = 4096; // of one snapshot
export const MAX_DEPTH = 64; // of maps and lists in one another
export const ENVELOPE = 64 << 10; // characters of a message, or of a cache, beside the values in it
export const ENVELOPE_DEPTH = 8; // of a message around the values in it
export const MAX_ANSWER = 4 << 10; // bytes of an answer of HTTP
export const MAX_WORDS = 1024; // characters of what a server says of why it ends a connection
export const MAX_ASSIGNMENTS = 10_000;
export const MAX_KEY = 128; // characters of the name of an experiment, a variant or a layer

export const MAX_PATH = 4096; // bytes of a path or pattern
export const MAX_DEEP = 2; // of ** in one pattern
export const MAX_DURATION = 256; // characters
export const MAX_PATHS_KEPT = 1000; // that need not be parsed again
export const MAX_REPORTS = 1000; // of values that cannot be read as they are asked for, until the next state

/** What a server may send, so that one that is at fault, or not ours, cannot exhaust the program. */
export const BOUNDS = Object.freeze({
  characters: 64 << 20, // of all values as JSON
  nodes: 4_000_000, // values: maps, lists, and what is in them
});

/** Times in milliseconds. */
export const TIMES = Object.freeze({
  firstRetry: 200,
  mostRetry: 30_000,
  mostAsked: 300_000, // that a server may ask to wait
  settled: 10_000, // for which a connection must have lasted to count as good
  dial: 10_000, // for a connection, an answer of HTTP, or the program's own ticket
  silence: 70_000, // without a word, after which a connection counts as dead
  close: 2_000, // for the close code after an error
  kept: 3_000, // for the first connection, before cached values will do; and for the cache to be read
  update: 2_000, // between two updates
  together: 50, // between values and the assignments that belong to them
});
