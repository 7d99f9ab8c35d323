import { TrunklineError } from "./errors.js";

/**
 * Does what may never end, for so many milliseconds, or until signal aborts. The work is told by a signal of its own when it is given up.
 * @template T
 * @param {number} ms
 * @param {AbortSignal} signal
 * @param {string} what
 * @param {(signal: AbortSignal) => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export function timely(ms, signal, what, work) {
  return new Promise((resolve, reject) => {
    const own = new AbortController();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", closed);
    };
    /** @param {string} code @param {string} why */
    const giveUp = (code, why) => {
      done();
      reject(new TrunklineError(code, `${what}: ${why}`));
      own.abort();
    };
    const closed = () => giveUp("closed", "the client is closed");
    const timer = setTimeout(() => giveUp("timeout", `no answer within ${ms / 1000} s`), ms);
    signal.addEventListener("abort", closed);
    if (signal.aborted) closed();
    else Promise.resolve(own.signal).then(work).then(resolve, reject).finally(done);
  });
}

/**
 * Waits, or until signal aborts.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function rest(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
