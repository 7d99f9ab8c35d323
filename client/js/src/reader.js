import { messageOf } from "./errors.js";
import { none } from "./message.js";

/** @import * as api from "../types/index.js" */
/** @import {Feed} from "./feed.js" */

/**
 * Reads the newest state of a feed.
 * @implements {api.Reader}
 */
export class Reader {
  #feed;
  #log;

  /** @param {Feed} feed @param {{error(message: string): void}} log */
  constructor(feed, log) {
    this.#feed = feed;
    this.#log = log;
  }

  get state() {
    return this.#feed.state;
  }

  get assignments() {
    return this.state?.assignments ?? none;
  }

  get staleSince() {
    return this.#feed.staleSince;
  }

  /** @param {string} path @param {any} [otherwise] @returns {any} */
  get(path, otherwise) {
    return this.state ? this.state.get(path, otherwise) : otherwise;
  }

  /** @param {string} path @param {any} otherwise @returns {any} */
  int(path, otherwise) {
    return this.state ? this.state.int(path, otherwise) : otherwise;
  }

  /** @param {string} path @param {number} otherwise */
  duration(path, otherwise) {
    return this.state ? this.state.duration(path, otherwise) : otherwise;
  }

  /** @param {string | readonly string[]} patterns @param {(update: api.Update) => unknown} callback */
  watch(patterns, callback) {
    return this.#feed.watch(patterns, callback, (error) => this.#log.error(`trunkline: a watch of ${patterns} failed: ${describe(error)}`));
  }
}

/** What a program threw: it is its own, and its place helps. @param {unknown} thrown */
function describe(thrown) {
  return thrown instanceof Error && thrown.stack ? String(thrown.stack) : messageOf(thrown);
}
