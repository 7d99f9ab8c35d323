// JSON Patch (RFC 6902), of which the server sends add, replace and remove, on maps alone: a list is one value.

import { TrunklineError } from "./errors.js";
import { freeze, isMap, put } from "./json.js";
import { MAX_DEPTH } from "./limits.js";
import { pointer } from "./path.js";

/** @import {Json} from "../types/index.js" */

/**
 * Applies a patch to an immutable value, which stays as it is. The new one is immutable, too, and shares with it what did not change.
 * @param {Json} root
 * @param {any} operations
 * @returns {Json}
 */
export function applyPatch(root, operations) {
  if (!Array.isArray(operations)) throw wrong("a patch is no list");
  const draft = new Draft(root);
  for (const operation of operations) draft.apply(operation);
  return draft.done();
}

/** Maps of a value that is being changed. Each is copied once, however many operations touch it. */
class Draft {
  /** @type {Set<Record<string, Json>>} */
  #own = new Set();
  #root;

  /** @param {Json} root */
  constructor(root) {
    this.#root = root;
  }

  done() {
    for (const map of this.#own) Object.freeze(map);
    return this.#root;
  }

  /** @param {any} operation */
  apply(operation) {
    const { op, path } = operation ?? {};
    if (!["add", "replace", "remove"].includes(op) || typeof path !== "string") throw wrong("a patch holds an unknown operation");
    if (op !== "remove" && !Object.hasOwn(operation, "value")) throw wrong(`a patch: ${op} without a value`);
    const keys = pointer(path);
    if (keys.length > MAX_DEPTH) throw wrong(`a patch leads deeper than ${MAX_DEPTH}`);
    this.#change(op, keys, operation.value);
  }

  /** @param {string} op @param {string[]} keys @param {Json} value */
  #change(op, keys, value) {
    const last = keys.pop();
    if (last === undefined) {
      if (op === "remove") throw wrong("a patch removes everything");
      this.#root = freeze(value);
      return;
    }
    const map = this.#mapAt(keys);
    if (op !== "add" && !Object.hasOwn(map, last)) throw wrong("a patch: it is not there");
    if (op === "remove") delete map[last];
    else put(map, last, freeze(value));
  }

  /** A map that may be changed. @param {string[]} keys */
  #mapAt(keys) {
    let map = this.#writable(this.#root);
    this.#root = map;
    for (const key of keys) {
      const member = this.#writable(Object.hasOwn(map, key) ? map[key] : null);
      put(map, key, member);
      map = member;
    }
    return map;
  }

  /** @param {Json} value @returns {Record<string, Json>} */
  #writable(value) {
    if (!isMap(value)) throw wrong("a patch: it is not there");
    if (this.#own.has(value)) return value;
    const copy = { ...value };
    this.#own.add(copy);
    return copy;
  }
}

/** @param {string} why */
function wrong(why) {
  return new TrunklineError("protocol", why);
}
