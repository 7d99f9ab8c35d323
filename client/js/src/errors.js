/** Why something could not be done. The code stays what it is while the words may change; a server's refusal has the server's code. */
export class TrunklineError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{hint?: string, terminal?: boolean, retryAfterMs?: number, closeCode?: number, cause?: unknown}} [more]
   */
  constructor(code, message, more = {}) {
    super(more.hint ? `${message}; ${more.hint}` : message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "TrunklineError";
    this.code = code;
    this.hint = more.hint ?? "";
    /** Trying again is of no use. */
    this.terminal = more.terminal ?? false;
    this.retryAfterMs = more.retryAfterMs;
    this.closeCode = more.closeCode;
  }
}

/**
 * An error whatever was thrown.
 * @param {unknown} thrown
 * @param {string} code
 * @param {string} what
 */
export function wrap(thrown, code, what) {
  if (thrown instanceof TrunklineError) return thrown;
  return new TrunklineError(code, `${what}: ${messageOf(thrown)}`, { cause: thrown });
}

/** @param {unknown} thrown */
export function messageOf(thrown) {
  try {
    return String(/** @type {any} */ (thrown)?.message ?? thrown);
  } catch {
    return "something that has no words"; // an object without a prototype, or one that throws itself
  }
}
