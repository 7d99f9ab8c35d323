import { diff } from "./diff.js";
import { freeze } from "./json.js";
import { parsePatterns, select } from "./pattern.js";

/** @import {State, Update, JsonMap} from "../types/index.js" */
/** @import {Step} from "./pattern.js" */

/** Holds the newest state, and wakes those that watch. It is read through a Reader. */
export class Feed {
  /** @type {State | null} */
  state = null;
  /** @type {Date | null} */
  staleSince = new Date();
  /** @type {Set<Watch>} */
  watches = new Set();
  #closed = false;

  /** @param {State} state */
  put(state) {
    this.state = state;
    for (const watch of this.watches) watch.wake();
  }

  /** Says that the state may be older than what is live, unless that was said before. @param {Date} since */
  stale(since) {
    this.staleSince ??= since;
  }

  /** Says that the state is what is live. */
  fresh() {
    this.staleSince = null;
  }

  /** Ends all watches. */
  close() {
    this.#closed = true;
    for (const watch of this.watches) watch.end();
    this.watches.clear();
  }

  /**
   * @param {string | readonly string[]} patterns
   * @param {(update: Update) => unknown} callback
   * @param {(error: unknown) => void} failed is told what the callback throws
   */
  watch(patterns, callback, failed) {
    const watch = new Watch(this, parsePatterns(patterns), callback, failed);
    if (this.#closed) return () => {};
    this.watches.add(watch);
    watch.wake();
    return () => {
      watch.end();
      this.watches.delete(watch);
    };
  }
}

/** One who watches, and what was seen last. */
class Watch {
  #feed;
  #patterns;
  #callback;
  #failed;
  #busy = false;
  #ended = false;
  /** @type {State | null} */
  #seen = null;
  /** @type {JsonMap | null} */
  #values = null;

  /** @param {Feed} feed @param {Step[][]} patterns @param {(update: Update) => unknown} callback @param {(error: unknown) => void} failed */
  constructor(feed, patterns, callback, failed) {
    this.#feed = feed;
    this.#patterns = patterns;
    this.#callback = callback;
    this.#failed = failed;
  }

  end() {
    this.#ended = true;
  }

  /** Looks at the newest state soon, or once the callback is done. */
  wake() {
    if (this.#busy) return;
    this.#busy = true;
    queueMicrotask(() => this.#look());
  }

  async #look() {
    while (!this.#ended && this.#feed.state !== this.#seen) {
      const update = this.#next();
      if (!update) continue;
      try {
        await this.#callback(update);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#busy = false;
  }

  /** What has changed; null if nothing has. @returns {Update | null} */
  #next() {
    const state = /** @type {State} */ (this.#feed.state);
    const values = select(state.values, this.#patterns);
    const first = this.#values === null;
    const changes = diff(this.#values ?? {}, values);
    this.#seen = state;
    this.#values = values;
    return first || changes.length > 0 ? freeze({ state, values, changes }) : null;
  }
}
