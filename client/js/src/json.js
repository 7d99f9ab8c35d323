// JSON as the server writes it. Integers have 64 bits there: those that a number cannot hold exactly are read as BigInt.

/** @import {Json, JsonMap} from "../types/index.js" */

const code = (/** @type {string} */ c) => c.charCodeAt(0);
const [quote, backslash, comma, minus, zero, nine] = ['"', "\\", ",", "-", "0", "9"].map(code);
const [openMap, closeMap, openList, closeList] = ["{", "}", "[", "]"].map(code);

const inNumber = new Set([..."0123456789.eE+-"].map(code));
const longest = 19; // digits of an integer of 64 bits
const safeDigits = 15; // that a number always holds

/**
 * Looks over a text before memory is taken for what it says: how many values it holds at most, how deep they lie, and where its integers
 * are that a number cannot hold, as pairs of places.
 * @param {string} text
 */
export function measure(text) {
  let [nodes, depth, deepest] = [1, 0, 0];
  /** @type {number[]} */
  const integers = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === quote) {
      i = closing(text, i);
    } else if (c === comma) {
      nodes++;
    } else if (c === openMap || c === openList) {
      nodes++;
      deepest = Math.max(deepest, ++depth);
    } else if (c === closeMap || c === closeList) {
      depth--;
    } else if (c >= zero && c <= nine) {
      i = number(text, i, integers) - 1;
    }
  }
  return { nodes, depth: deepest, integers };
}

/** Where a string ends that begins at i. @param {string} text @param {number} i */
function closing(text, i) {
  for (let end = text.indexOf('"', i + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

/** Where a number ends, which is noted if it needs a BigInt. @param {string} text @param {number} i @param {number[]} integers */
function number(text, i, integers) {
  let [end, integer] = [i, true];
  for (; inNumber.has(text.charCodeAt(end)); end++) {
    const c = text.charCodeAt(end);
    integer &&= c >= zero && c <= nine;
  }
  if (integer && end - i > safeDigits && !Number.isSafeInteger(Number(text.slice(i, Math.min(end, i + longest + 1))))) {
    integers.push(text.charCodeAt(i - 1) === minus ? i - 1 : i, end);
  }
  return end;
}

/**
 * Reads a text that was measured.
 * @param {string} text
 * @param {number[]} integers
 * @returns {any}
 */
export function parse(text, integers = measure(text).integers) {
  if (integers.length === 0) return JSON.parse(text);
  const mark = `${crypto.getRandomValues(new Uint32Array(4)).join("-")}:`; // that no server can know
  const pieces = [];
  let done = 0;
  for (let i = 0; i < integers.length; i += 2) {
    const [start, end] = integers.slice(i, i + 2);
    checkInteger(text.slice(start, end));
    pieces.push(text.slice(done, start), '"', mark, text.slice(start, end), '"');
    done = end;
  }
  pieces.push(text.slice(done));
  return JSON.parse(pieces.join(""), (_key, v) => (typeof v === "string" && v.startsWith(mark) ? BigInt(v.slice(mark.length)) : v));
}

/** @param {string} text */
function checkInteger(text) {
  if (text.length > longest + 1 || BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) {
    throw new SyntaxError("an integer beyond 64 bits");
  }
}

/**
 * Writes a value as it was read.
 * @param {Json} value
 * @returns {string}
 */
export function stringify(value) {
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(stringify).join(",")}]`;
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${stringify(member)}`);
  return `{${members.join(",")}}`;
}

/**
 * Makes a value immutable, with all that is in it.
 * @template T
 * @param {T} value
 * @returns {T}
 */
export function freeze(value) {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}

/**
 * Whether a value stands for one that the reader may not see.
 * @param {unknown} value
 * @returns {value is import("../types/index.js").Redacted}
 */
export function isRedacted(value) {
  const v = /** @type {any} */ (value);
  return v !== null && typeof v === "object" && v.$redacted === true && typeof v.fp === "string" && Object.keys(v).length === 2;
}

/**
 * Whether a value is a map, into which paths lead.
 * @param {unknown} value
 * @returns {value is JsonMap}
 */
export function isMap(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !isRedacted(value);
}

/** Sets a member, whatever it is called. @param {Record<string, Json>} map @param {string} key @param {Json} value */
export function put(map, key, value) {
  if (key !== "__proto__") map[key] = value;
  else Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Whether two values of JSON hold the same. @param {unknown} a @param {unknown} b @returns {boolean} */
export function equal(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  }
  const [before, after] = [/** @type {JsonMap} */ (a), /** @type {JsonMap} */ (b)];
  const keys = Object.keys(before);
  return keys.length === Object.keys(after).length && keys.every((key) => Object.hasOwn(after, key) && equal(before[key], after[key]));
}

/** What a value is called where people read of it. @param {Json} value */
export function nameOf(value) {
  if (value === null) return "null";
  if (typeof value === "bigint") return "an integer that a number cannot hold";
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "a list" : isRedacted(value) ? "a redacted value" : "a map";
}
