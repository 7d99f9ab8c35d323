// What a client asks the server for, and the messages that say so.

import { TrunklineError, messageOf, wrap } from "./errors.js";
import { measure, parse } from "./json.js";
import { MAX_ATTRIBUTES, MAX_CONTEXT, MAX_CONTEXT_DEPTH, MAX_MESSAGE, MAX_NAME, MAX_PATTERNS } from "./limits.js";
import { parsePatterns } from "./pattern.js";

/** @import * as api from "../types/index.js" */

/**
 * Both are texts of JSON, so that they cannot change and are compared at once.
 * @typedef {Readonly<{patterns: string, context: string}>} Asked
 */

/**
 * Who asks, and of which environment.
 * @typedef {Readonly<{name: string, version: string, env: string}>} Who
 */

/**
 * What is asked for after a change; what is missing in it stays as it was.
 * @param {Who} who
 * @param {api.Request} change
 * @param {Asked} [before]
 * @returns {Asked}
 */
export function ask(who, change, before = { patterns: "[]", context: "{}" }) {
  const asked = {
    patterns: change.patterns === undefined ? before.patterns : patternsOf(change.patterns),
    context: change.context === undefined ? before.context : contextOf(change.context),
  };
  const message = JSON.stringify({ ...hello(who, asked, "x".repeat(MAX_NAME)) });
  if (bytes(message) > MAX_MESSAGE) throw bad(`what is asked for is longer than ${MAX_MESSAGE} bytes`);
  if (/\\ud[89a-f]/.test(message.replaceAll("\\\\", ""))) throw bad("what is asked for holds half of a character");
  return Object.freeze(asked);
}

/** @param {readonly string[]} patterns */
function patternsOf(patterns) {
  if (!Array.isArray(patterns)) throw bad("patterns are a list of strings");
  if (patterns.length > MAX_PATTERNS) throw bad(`${patterns.length} patterns are more than ${MAX_PATTERNS}`);
  parsePatterns(patterns);
  return JSON.stringify(patterns);
}

/** @param {Record<string, unknown>} context */
function contextOf(context) {
  let text;
  try {
    text = JSON.stringify(context ?? {});
  } catch (error) {
    throw wrap(error, "badOptions", "the context cannot be sent as JSON");
  }
  if (text?.[0] !== "{") throw bad("the context is an object");
  if (bytes(text) > MAX_CONTEXT) throw bad(`the context is longer than ${MAX_CONTEXT} bytes`);
  if (measure(text).depth > MAX_CONTEXT_DEPTH) throw bad(`the context is nested deeper than ${MAX_CONTEXT_DEPTH}`);
  if (weight(read(text)) > MAX_ATTRIBUTES) throw bad(`the context holds more than ${MAX_ATTRIBUTES} values`);
  return text;
}

/** @param {string} text */
function read(text) {
  try {
    return parse(text);
  } catch (error) {
    throw bad(`the context holds ${messageOf(error)}; send a string`);
  }
}

/** How many values there are, with the maps and lists. @param {unknown} value @returns {number} */
function weight(value) {
  return typeof value === "object" && value !== null ? Object.values(value).reduce((sum, member) => sum + weight(member), 1) : 1;
}

/** @param {api.Options} options @returns {Who} */
export function whoOf({ client = {}, env = "" }) {
  const who = { name: client.name ?? "", version: client.version ?? "", env };
  for (const [what, text] of Object.entries(who)) {
    if (typeof text !== "string" || bytes(text) > MAX_NAME) throw bad(`${what} is a string of at most ${MAX_NAME} bytes`);
  }
  return Object.freeze(who);
}

/** @param {Who} who @param {Asked} asked @param {string} cursor */
export function hello({ name, version, env }, { patterns, context }, cursor) {
  return {
    type: "hello",
    ...(name || version ? { client: { name, ...(version && { version }) } } : {}),
    ...(env && { env }),
    ...(patterns !== "[]" && { patterns: JSON.parse(patterns) }),
    ...(context !== "{}" && { context: JSON.parse(context) }),
    ...(cursor && { cursor }),
  };
}

/** Says both, so that it does not matter what was said before. @param {Asked} asked */
export function update({ patterns, context }) {
  return { type: "update", patterns: JSON.parse(patterns), context: JSON.parse(context) };
}

/** @param {Asked} a @param {Asked} b */
export function sameAsked(a, b) {
  return a.patterns === b.patterns && a.context === b.context;
}

const encoder = new TextEncoder();

/** @param {string} text */
function bytes(text) {
  return encoder.encode(text).length;
}

/** @param {string} message */
function bad(message) {
  return new TrunklineError("badOptions", message);
}
