// A client without a server, for the tests of programs.

import { TrunklineError, messageOf } from "./errors.js";
import { Feed } from "./feed.js";
import { freeze, isMap, put } from "./json.js";
import { assignmentsOf, none } from "./message.js";
import { lookup, parsePath } from "./path.js";
import { Reader } from "./reader.js";
import { ask } from "./request.js";
import { State } from "./state.js";

/** @import * as api from "../types/testing.js" */
/** @import {Assignment, Json, JsonMap, Request} from "../types/index.js" */

const nobody = { name: "", version: "", env: "" };

/** @implements {api.Fake} */
class Fake extends Reader {
  /** @type {TrunklineError | null} */
  error = null;
  ready = Promise.resolve();
  #feed;
  #accept;
  /** @type {api.Nack[]} */
  #nacks = [];
  /** @type {JsonMap} what was set last, accepted or not */
  #received = freeze({});
  #assignments = none;
  #versions = 0;
  #asked = ask(nobody, {});

  /** @param {((state: State) => void) | undefined} accept */
  constructor(accept) {
    const feed = new Feed();
    super(feed, console);
    this.#feed = feed;
    this.#accept = accept;
  }

  /** @param {string} path @param {unknown} value */
  set(path, value) {
    this.setAll({ [path]: value });
  }

  /** @param {api.Values} values */
  setAll(values) {
    let next = this.#received;
    for (const path of Object.keys(values).sort()) next = placed(next, path, copied(values[path], path));
    this.#offer(next);
  }

  /** @param {string} path */
  remove(path) {
    if (lookup(this.#received, parsePath(path)) === undefined) throw wrong(path, "nothing stands there");
    this.#offer(placed(this.#received, path, undefined));
  }

  /** @param {string} path */
  redact(path) {
    this.set(path, { $redacted: true, fp: "0000000000000000" });
  }

  /** @param {readonly (Pick<Assignment, "experiment" | "variant"> & Partial<Assignment>)[]} list */
  setAssignments(list) {
    this.#assignments = assignmentsOf(list.map((a) => ({ phase: 1, layer: "fake", ...a })));
    this.#offer(this.#received);
  }

  disconnect() {
    this.#feed.stale(new Date());
  }

  connect() {
    this.#feed.fresh();
  }

  /** @param {TrunklineError} error */
  refuse(error) {
    this.error = error;
    this.#feed.stale(new Date());
  }

  async close() {
    this.#feed.stale(new Date());
    this.#feed.close();
  }

  /** @param {Request} request */
  update(request) {
    this.#asked = ask(nobody, request, this.#asked);
  }

  get nacks() {
    return [...this.#nacks];
  }

  /** @returns {string[]} */
  get patterns() {
    return JSON.parse(this.#asked.patterns);
  }

  /** @returns {Record<string, unknown>} */
  get context() {
    return JSON.parse(this.#asked.context);
  }

  get watching() {
    return this.#feed.watches.size;
  }

  /** Makes values the newest ones, if the program accepts them. @param {JsonMap} values */
  #offer(values) {
    this.#received = values;
    const number = ++this.#versions;
    const version = { values, assignments: this.#assignments, cursor: `fake${number}`, commit: number.toString(16).padStart(40, "0"), author: "fake" };
    const state = new State(version, ({ path, expected, found }) => console.warn(`trunkline: ${path}: expected ${expected}, found ${found}`));
    try {
      if (number > 1) this.#accept?.(state); // what it begins with is accepted
    } catch (error) {
      this.#nacks.push({ state, reason: messageOf(error) });
      this.#feed.stale(new Date());
      return;
    }
    this.#feed.put(state);
    this.#feed.fresh();
  }
}

/**
 * A map with a value at a path, above which maps are made; without one, what stands there is left out.
 * @param {JsonMap} root
 * @param {string} path
 * @param {Json | undefined} value
 */
function placed(root, path, value) {
  const keys = parsePath(path);
  if (keys.length === 0) throw wrong(path, "the whole is set by the paths in it");
  return freeze(below(root, keys, value, path));
}

/** @param {Json | undefined} value @param {string[]} keys @param {Json | undefined} member @param {string} path @returns {any} */
function below(value, [key, ...rest], member, path) {
  if (key === undefined) return member;
  if (!isMap(value)) throw wrong(path, "what stands above it is no map");
  const copy = { ...value };
  const next = below(Object.hasOwn(value, key) ? value[key] : {}, rest, member, path);
  if (next === undefined) delete copy[key];
  else put(copy, key, next);
  return copy;
}

/** What a server could say, of what a program's test says. @param {unknown} value @param {string} path @returns {Json} */
function copied(value, path) {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map((item) => copied(item, path));
  if (typeof value !== "object" || ![Object.prototype, null].includes(Object.getPrototypeOf(value))) throw wrong(path, "JSON cannot say that");
  /** @type {Record<string, Json>} */
  const map = {};
  for (const [key, member] of Object.entries(value)) put(map, key, copied(member, path));
  return map;
}

/** @param {string} path @param {string} why */
function wrong(path, why) {
  return new TrunklineError("fake", `${path}: ${why}`);
}

/** @param {api.Values} [values] @param {{accept?: (state: State) => void}} [options] @returns {api.Fake} */
export function fake(values = {}, { accept } = {}) {
  const made = new Fake(accept);
  made.setAll(values);
  return made;
}
