// Patterns select paths: * is one segment, ** any number of them, and a quoted segment never a wildcard.

import { TrunklineError } from "./errors.js";
import { freeze, isMap, put } from "./json.js";
import { MAX_DEEP } from "./limits.js";
import { segments } from "./path.js";

/** @import {Json, JsonMap} from "../types/index.js" */

/**
 * A step of a pattern: a key, one of any, or any number of any.
 * @typedef {{key: string, wild: "" | "one" | "deep"}} Step
 */

/** @param {string} text @returns {Step[]} */
export function parsePattern(text) {
  if (text === "") throw new TrunklineError("badPattern", "an empty pattern selects nothing; ** selects everything");
  let steps;
  try {
    steps = segments(text, true).map(step);
  } catch (error) {
    throw new TrunklineError("badPattern", `a pattern: ${/** @type {Error} */ (error).message}`);
  }
  if (steps.filter((s) => s.wild === "deep").length > MAX_DEEP) {
    throw new TrunklineError("badPattern", `a pattern: ** may occur at most ${MAX_DEEP} times`);
  }
  return steps;
}

/** @param {import("./path.js").Segment} segment @returns {Step} */
function step({ key, quoted }) {
  if (/\p{Cc}/u.test(key)) throw new Error("a key holds a control character");
  if (quoted || !key.includes("*")) return { key, wild: "" };
  if (key !== "*" && key !== "**") throw new Error("* stands for a whole segment; it cannot be a part of one");
  return { key, wild: key === "*" ? "one" : "deep" };
}

/**
 * Reads patterns; none means all.
 * @param {string | readonly string[]} texts
 */
export function parsePatterns(texts) {
  const list = typeof texts === "string" ? [texts] : [...texts];
  return (list.length === 0 ? ["**"] : list).map(parsePattern);
}

/**
 * Narrows a map to what the patterns select, each with all that is below it. Maps emptied by the patterns are left out; a list is one
 * value. What is selected as a whole is not copied.
 * @param {JsonMap} root
 * @param {Step[][]} patterns
 * @returns {JsonMap}
 */
export function select(root, patterns) {
  return /** @type {JsonMap} */ (narrow(root, patterns)) ?? freeze({});
}

/** @param {Json} value @param {Step[][]} front what is left of each pattern that can still match @returns {Json | undefined} */
function narrow(value, front) {
  if (front.some((steps) => steps.every((s) => s.wild === "deep"))) return value;
  if (!isMap(value)) return undefined;
  /** @type {Record<string, Json>} */
  const narrowed = {};
  for (const key of keysOf(value, front)) {
    const member = narrow(value[key], front.flatMap((steps) => after(steps, key)));
    if (member !== undefined) put(narrowed, key, member);
  }
  return Object.keys(narrowed).length > 0 ? Object.freeze(narrowed) : undefined;
}

/** The keys with which patterns can go on. @param {JsonMap} value @param {Step[][]} front */
function keysOf(value, front) {
  if (front.some((steps) => steps[0].wild !== "")) return Object.keys(value);
  return [...new Set(front.map((steps) => steps[0].key))].filter((key) => Object.hasOwn(value, key));
}

/** What may follow after a key. @param {Step[]} steps @param {string} key @returns {Step[][]} */
function after(steps, key) {
  const [first, ...rest] = steps;
  if (first === undefined) return [];
  if (first.wild === "deep") return [steps, ...after(rest, key)];
  return first.wild === "one" || first.key === key ? [rest] : [];
}
