// What a server's messages may be. Whatever is said here of one that is not understood, the connection ends for it.

import { TrunklineError } from "./errors.js";
import { freeze, isMap, measure, nameOf, parse } from "./json.js";
import { MAX_ASSIGNMENTS, MAX_CHUNKS, MAX_DEPTH, MAX_KEY, MAX_WORDS } from "./limits.js";

/** @import {Assignment} from "../types/index.js" */

/**
 * How large a text is.
 * @typedef {{characters: number, nodes: number, integers: number[]}} Size
 */

/**
 * Measures a text, which may be as large as the values of a server, and more.
 * @param {{characters: number, nodes: number}} bounds
 * @param {string} text
 * @param {number} more
 * @param {number} deeper
 * @returns {Size}
 */
export function bounded(bounds, text, more, deeper) {
  if (text.length > bounds.characters + more) throw new TrunklineError("tooLarge", `what the server sends is longer than ${bounds.characters} characters`);
  const { nodes, depth, integers } = measure(text);
  if (nodes > bounds.nodes + more) throw new TrunklineError("tooLarge", `what the server sends holds more than ${bounds.nodes} values`);
  if (depth > MAX_DEPTH + deeper) throw new TrunklineError("tooLarge", `what the server sends is nested deeper than ${MAX_DEPTH}`);
  return { characters: text.length, nodes, integers };
}

/** Reads a message that was measured. @param {string} text @param {Size} size @returns {any} */
export function parseMessage(text, size) {
  const m = parse(text, size.integers);
  if (!isMap(m) || !m.type) throw wrong("it has no type");
  checkTexts(m);
  if (m.chunks !== undefined && !count(m.chunks, 0, MAX_CHUNKS)) throw wrong("a snapshot in an impossible number of chunks");
  if (m.index !== undefined && !count(m.index, 0, MAX_CHUNKS - 1)) throw wrong("a chunk with an impossible number");
  return m;
}

const texts = ["type", "cursor", "commit", "reason", "data", "from", "to", "cause", "author", "subject", "rollbackOf", "code", "message", "hint"];

/** @param {any} m */
export function checkTexts(m) {
  for (const name of texts) {
    if (m[name] !== undefined && typeof m[name] !== "string") throw wrong(`its ${name} is ${nameOf(m[name])}`);
  }
}

/** @param {unknown} n @param {number} least @param {number} most */
function count(n, least, most) {
  return Number.isSafeInteger(n) && Number(n) >= least && Number(n) <= most;
}

/** @type {readonly Assignment[]} */
export const none = Object.freeze([]);

/** Reads a list of assignments. @param {unknown} list @returns {readonly Assignment[]} */
export function assignmentsOf(list) {
  if (!Array.isArray(list)) throw wrong("its assignments are no list");
  if (list.length > MAX_ASSIGNMENTS) throw new TrunklineError("tooLarge", `what the server sends holds more than ${MAX_ASSIGNMENTS} assignments`);
  return freeze(list.map(assignment));
}

/** @param {any} item @returns {Assignment} */
function assignment(item) {
  const { experiment, variant, phase, layer, forced = false } = item ?? {};
  if (![experiment, variant, layer].every(key) || !count(phase, 1, Number.MAX_SAFE_INTEGER) || typeof forced !== "boolean") {
    throw wrong("an assignment is none");
  }
  return { experiment, variant, phase, layer, ...(forced && { forced }) };
}

/** @param {unknown} text */
function key(text) {
  return typeof text === "string" && text !== "" && text.length <= MAX_KEY;
}

/** What people will read. @param {string} [text] */
export function words(text = "") {
  return text.slice(0, MAX_WORDS);
}

/** @param {string} why */
export function wrong(why) {
  return new TrunklineError("protocol", `a message of the server is not understood: ${why}`);
}
