// The last values that were accepted, kept for the next run.

import { tellAssignments } from "./accept.js";
import { diff } from "./diff.js";
import { TrunklineError, messageOf } from "./errors.js";
import { freeze, isMap, measure, parse, stringify } from "./json.js";
import { ENVELOPE, MAX_DEPTH } from "./limits.js";
import { assignmentsOf, checkTexts, none } from "./message.js";
import { sha256 } from "./sha256.js";
import { State } from "./state.js";
import { timely } from "./timely.js";

/** @import * as api from "../types/index.js" */
/** @import {Offer} from "./accept.js" */
/** @import {Asked} from "./request.js" */
/** @import {Run} from "./run.js" */
/** @import {Settings} from "./options.js" */

const format = "trunkline.cache.v1 "; // and the SHA-256 of what follows on the next line

/** Names what is asked of whom, without telling it: a context may hold what is personal. @param {Settings} o @param {Asked} asked */
function view(o, { patterns, context }) {
  const all = [...new Set(JSON.parse(patterns))].sort();
  return sha256(JSON.stringify([o.url, o.who.env, all, context]));
}

/** Writes the newest values, one after the other. */
export class Keeper {
  /** @type {Offer | null} */
  #newest = null;
  #writing = false;
  /** @type {Promise<void>} */
  #done = Promise.resolve();
  #told = "";

  /** @param {api.Cache} cache @param {Settings} o */
  constructor(cache, o) {
    this.cache = cache;
    this.o = o;
  }

  /** @param {Offer} offer */
  put(offer) {
    this.#newest = offer;
    if (!this.#writing) this.#done = this.#write();
  }

  /** Resolves when the newest values are kept. */
  done() {
    return this.#done;
  }

  async #write() {
    this.#writing = true;
    while (this.#newest) {
      const offer = this.#newest;
      this.#newest = null;
      try {
        await this.cache.write(encode(this.o, offer));
        this.#told = "";
      } catch (error) {
        this.#failed(messageOf(error));
      }
    }
    this.#writing = false;
  }

  /** @param {string} why */
  #failed(why) {
    if (why !== this.#told) this.o.log.error(`trunkline: the values are not cached: ${why}`);
    this.#told = why;
  }
}

/** @param {Settings} o @param {Offer} offer */
function encode(o, { state, asked }) {
  const { values, cursor, commit, author, subject, rollbackOf, assignments } = state;
  const body = stringify({ view: view(o, asked), cursor, commit, author, subject, rollbackOf, assignments: /** @type {any} */ (assignments), values });
  return `${format}${sha256(body)}\n${body}`;
}

/**
 * Serves the values of an earlier run, until the server sends its own. It returns a timer, which lets go of those who wait for values
 * when the server takes long.
 * @param {Run} run
 * @param {AbortSignal} signal
 */
export async function recall(run, signal) {
  try {
    const text = await timely(run.o.times.kept, signal, "the cache", () => run.o.cache?.read());
    if (text === null || text === undefined) return undefined;
    const offer = decode(run, text);
    await run.o.accept?.(offer.state);
    if (run.over) return undefined;
    run.has = offer;
    run.feed.put(offer.state);
    run.emit({ kind: "cached", state: offer.state, changes: diff({}, offer.state.values) });
    tellAssignments(run, null, offer.state);
    return setTimeout(run.available, run.o.times.kept);
  } catch (error) {
    if (!run.over) run.o.log.warn(`trunkline: the cached values are not used: ${messageOf(error)}`);
    return undefined;
  }
}

/** @param {Run} run @param {string} text @returns {Offer} */
function decode(run, text) {
  const { bounds } = run.o;
  if (typeof text !== "string" || !text.startsWith(format)) throw bad("they are none");
  if (text.length > bounds.characters + ENVELOPE) throw bad(`they are longer than ${bounds.characters} characters`);
  const end = text.indexOf("\n");
  const body = text.slice(end + 1);
  if (sha256(body) !== text.slice(format.length, end)) throw bad("they are damaged");
  const { nodes, depth, integers } = measure(body);
  if (nodes > bounds.nodes || depth > 2 * MAX_DEPTH) throw bad("they hold too much");
  const { view: of, ...version } = parse(body, integers);
  if (of !== view(run.o, run.wanted)) throw bad("they are of another server, environment, patterns or context");
  if (!isMap(version.values)) throw bad("they are no map");
  checkTexts(version);
  const assignments = assignmentsOf(version.assignments ?? none);
  const state = new State({ ...version, values: freeze(version.values), assignments }, (u) => run.report(u));
  return {
    state, kind: "cached", cause: "", characters: body.length, nodes, accepted: true, asked: run.wanted, connection: null, decided: true, error: null,
  };
}

/** @param {string} why */
function bad(why) {
  return new TrunklineError("cache", why);
}

/** @param {string} [key] @returns {api.Cache} */
export function localStorageCache(key = "trunkline") {
  return {
    read: () => localStorage.getItem(key),
    write: (text) => localStorage.setItem(key, text),
  };
}
