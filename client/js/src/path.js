// Paths name values as the rest of Trunkline writes them: database.primary.pool, servers[0], hosts["a.b"], or as JSON Pointer /hosts/a.b.

import { TrunklineError } from "./errors.js";
import { isMap } from "./json.js";
import { MAX_PATH, MAX_PATHS_KEPT } from "./limits.js";

/** @import {Json} from "../types/index.js" */

const bare = /^[A-Za-z0-9_-]+/;
const bareOrWild = /^[A-Za-z0-9_*-]+/;
const wholeBare = /^[A-Za-z0-9_-]+$/;
const index = /^(?:0|[1-9]\d{0,8})$/;
const otherKeys = 'a key with other characters than A-Z a-z 0-9 _ - is written ["…"]';
const bracket = /^\[(?:("(?:[^"\\]|\\.)*")|(\d+))\]/s;

/**
 * A step of a path. A quoted one is never a wildcard.
 * @typedef {{key: string, quoted: boolean}} Segment
 */

/**
 * Reads a path or, with wildcards, a pattern.
 * @param {string} text
 * @param {boolean} wildcards
 * @returns {Segment[]}
 */
export function segments(text, wildcards) {
  if (typeof text !== "string") throw new TrunklineError("badPath", "a path is a string");
  if (text.length > MAX_PATH || new TextEncoder().encode(text).length > MAX_PATH) throw new TrunklineError("badPath", `a path is longer than ${MAX_PATH} bytes`);
  if (text.startsWith("/")) return pointer(text).map((key) => ({ key, quoted: true }));
  /** @type {Segment[]} */
  const found = [];
  for (let rest = text; rest !== ""; ) {
    const [segment, length] = next(text, rest, found.length === 0, wildcards ? bareOrWild : bare);
    found.push(segment);
    rest = rest.slice(length);
  }
  return found;
}

/** @param {string} whole @param {string} rest @param {boolean} first @param {RegExp} allowed @returns {[Segment, number]} */
function next(whole, rest, first, allowed) {
  if (rest[0] === "[") return bracketed(whole, rest);
  if (!first && rest[0] !== ".") throw wrong(whole, rest, `a dot or a bracket must stand here; ${otherKeys}`);
  const dot = first ? 0 : 1;
  const key = allowed.exec(rest.slice(dot))?.[0];
  if (key === undefined) throw wrong(whole, rest.slice(dot), /^[.[]|^$/.test(rest.slice(dot)) ? "a segment is empty" : otherKeys);
  return [{ key, quoted: false }, dot + key.length];
}

/** @param {string} whole @param {string} rest @returns {[Segment, number]} */
function bracketed(whole, rest) {
  const match = bracket.exec(rest);
  if (!match || (match[2] !== undefined && !index.test(match[2]))) {
    throw wrong(whole, rest, "a bracket holds the index of a list or a quoted key");
  }
  return [{ key: match[2] ?? unquoted(match[1], () => wrong(whole, rest, "a quoted key is not a JSON string")), quoted: true }, match[0].length];
}

/** @param {string} text @param {() => Error} otherwise @returns {string} */
function unquoted(text, otherwise) {
  try {
    const key = JSON.parse(text);
    if (!/\p{Surrogate}/u.test(key)) return key; // half of a character
  } catch {
    // it is no string of JSON
  }
  throw otherwise();
}

/** @param {string} whole @param {string} rest @param {string} why */
function wrong(whole, rest, why) {
  const shown = whole.length > 200 ? `${whole.slice(0, 200)}…` : whole;
  return new TrunklineError("badPath", `${JSON.stringify(shown)}, at character ${whole.length - rest.length + 1}: ${why}`);
}

/** Reads a JSON Pointer (RFC 6901). @param {string} text */
export function pointer(text) {
  if (text === "") return [];
  if (text[0] !== "/" || /~(?![01])/.test(text)) throw new TrunklineError("badPath", "not a JSON Pointer");
  return text
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Writes a path below a value, with indices of lists in brackets. @param {string[]} keys */
export function format(keys) {
  return keys.reduce((text, key) => {
    if (!wholeBare.test(key)) return `${text}[${JSON.stringify(key)}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** @type {Map<string, string[]>} */
const kept = new Map();

/**
 * Reads a path, which is kept for the next time.
 * @param {string} text
 */
export function parsePath(text) {
  let keys = kept.get(text);
  if (keys === undefined) {
    keys = segments(text, false).map((s) => s.key);
    if (kept.size >= MAX_PATHS_KEPT) kept.clear();
    kept.set(text, keys);
  }
  return keys;
}

/**
 * Finds a value; undefined where nothing stands. What is redacted has nothing below it.
 * @param {Json | undefined} root
 * @param {string[]} keys
 * @returns {Json | undefined}
 */
export function lookup(root, keys) {
  let value = root;
  for (const key of keys) {
    if (Array.isArray(value) && index.test(key)) value = value[Number(key)];
    else if (isMap(value) && Object.hasOwn(value, key)) value = value[key];
    else return undefined;
  }
  return value;
}
