// The JavaScript client of Trunkline. What it offers is described in types/index.d.ts.

import { TrunklineError } from "./errors.js";
import { Feed } from "./feed.js";
import { check } from "./options.js";
import { Reader } from "./reader.js";
import { Run } from "./run.js";

/** @import * as api from "../types/index.js" */

export { localStorageCache } from "./cache.js";
export { TrunklineError } from "./errors.js";
export { isRedacted } from "./json.js";

/**
 * Follows one environment.
 * @implements {api.Client}
 */
class Client extends Reader {
  #run;

  /** @param {Run} run */
  constructor(run) {
    super(run.feed, run.o.log);
    this.#run = run;
  }

  /** @returns {Promise<void>} */
  get ready() {
    return this.#run.ready;
  }

  get error() {
    return this.#run.fatal;
  }

  /** @param {api.Request} request */
  update(request) {
    this.#run.update(request);
  }

  close() {
    return this.#run.close();
  }
}

/** @param {api.Options} options */
function begin(options) {
  const run = new Run(check(options), new Feed());
  void run.start();
  return run;
}

/** @param {api.Options} options @returns {api.Client} */
export function open(options) {
  return new Client(begin(options));
}

/** @param {api.Options} options @returns {Promise<api.Client>} */
export async function connect(options) {
  const run = begin(options);
  try {
    await unless(options.signal, run);
    return new Client(run);
  } catch (error) {
    await run.close();
    throw error;
  }
}

/** Waits for values, unless a signal aborts before. @param {AbortSignal | undefined} signal @param {Run} run */
async function unless(signal, run) {
  /** @type {() => void} */
  let aborted = () => {};
  const given = new Promise((_, reject) => {
    aborted = () => reject(noValues(run, signal?.reason));
  });
  signal?.addEventListener("abort", aborted);
  if (signal?.aborted) aborted();
  await Promise.race([run.ready, given]).finally(() => signal?.removeEventListener("abort", aborted));
}

/** @param {Run} run @param {unknown} reason */
function noValues({ o, trouble }, reason) {
  const why = trouble ? `: ${trouble.message}` : "";
  return new TrunklineError("noValues", `no values from ${o.url}${why}`, { cause: trouble ?? reason });
}
