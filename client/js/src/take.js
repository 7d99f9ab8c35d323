// What a server says.

import { offer, reply } from "./accept.js";
import { TrunklineError } from "./errors.js";
import { freeze, isMap, measure, nameOf, parse, stringify } from "./json.js";
import { ENVELOPE, ENVELOPE_DEPTH, MAX_CHUNKS, MAX_DEPTH, MAX_WORDS } from "./limits.js";
import { applyPatch } from "./patch.js";
import { State } from "./state.js";

/** @import {Json, JsonMap} from "../types/index.js" */
/** @import {Offer} from "./accept.js" */
/** @import {Run} from "./run.js" */

/**
 * What has come of a snapshot that is sent in chunks.
 * @typedef {{head: any, next: number, text: string[], length: number}} Parts
 */

/**
 * Acts on one message. Throws what the connection is to end for.
 * @param {Run} run
 * @param {string} text
 */
export function take(run, text) {
  const size = bounded(run, text, ENVELOPE, ENVELOPE_DEPTH);
  const m = parse(text, size.integers);
  checkMessage(m);
  switch (m.type) {
    case "snapshot":
    case "current":
    case "delta":
      if (run.parts) run.forget("a snapshot breaks off");
      return advance(run, m, size);
    case "chunk":
      return chunk(run, m);
    case "ping":
      return ping(run, m);
    case "goaway":
      throw new TrunklineError("goaway", "the server stops or restarts", { retryAfterMs: Number.isFinite(m.retryAfterMs) ? m.retryAfterMs : 0 });
    case "error":
      return run.connection?.report({ code: words(m.code) || "error", message: words(m.message) || "the server reports an error", hint: words(m.hint) });
    default: // a newer server may say more than we know
  }
}

/** What people will read. @param {string} [text] */
function words(text = "") {
  return text.slice(0, MAX_WORDS);
}

/**
 * How large a text is, if that is not too much.
 * @typedef {{characters: number, nodes: number, integers: number[]}} Size
 */

/** @param {Run} run @param {string} text @param {number} more @param {number} deeper @returns {Size} */
function bounded({ o: { bounds } }, text, more, deeper) {
  if (text.length > bounds.characters + more) throw new TrunklineError("tooLarge", `what the server sends is longer than ${bounds.characters} characters`);
  const { nodes, depth, integers } = measure(text);
  if (nodes > bounds.nodes + more) throw new TrunklineError("tooLarge", `what the server sends holds more than ${bounds.nodes} values`);
  if (depth > MAX_DEPTH + deeper) throw new TrunklineError("tooLarge", `what the server sends is nested deeper than ${MAX_DEPTH}`);
  return { characters: text.length, nodes, integers };
}

const texts = ["type", "cursor", "commit", "reason", "data", "from", "to", "cause", "author", "subject", "rollbackOf", "code", "message", "hint"];

/** @param {any} m */
function checkMessage(m) {
  if (!isMap(m) || !m.type) throw wrong("it has no type");
  for (const name of texts) {
    if (m[name] !== undefined && typeof m[name] !== "string") throw wrong(`its ${name} is ${nameOf(m[name])}`);
  }
  if (m.chunks !== undefined && !count(m.chunks, MAX_CHUNKS)) throw wrong("a snapshot in an impossible number of chunks");
  if (m.index !== undefined && !count(m.index, MAX_CHUNKS - 1)) throw wrong("a chunk with an impossible number");
}

/** @param {Json} n @param {number} most */
function count(n, most) {
  return Number.isSafeInteger(n) && Number(n) >= 0 && Number(n) <= most;
}

/** @param {string} why */
function wrong(why) {
  return new TrunklineError("protocol", `a message of the server is not understood: ${why}`);
}

/** Makes an offer of what a message tells. @param {Run} run @param {any} m @param {Size} size */
function advance(run, m, size) {
  if (m.type === "snapshot" && m.chunks > 0) {
    run.parts = { head: m, next: 0, text: [], length: 0 };
    return;
  }
  const made = m.type === "snapshot" ? whole(m, size) : m.type === "current" ? same(run, m) : patched(run, m, size);
  const { author, subject, rollbackOf, commit } = m;
  const state = new State({ values: made.values, cursor: m.to ?? m.cursor, commit, author, subject, rollbackOf }, (u) => run.report(u));
  const asked = run.asked;
  run.open = false;
  offer(run, { ...made, kind: m.type, cause: m.cause ?? "", state, asked, connection: run.connection, decided: false, error: null });
}

/**
 * Values, how large they are at most, and whether the program has accepted them before.
 * @typedef {{values: JsonMap, characters: number, nodes: number, accepted: boolean}} Made
 */

/** @param {any} m @param {Size} size @returns {Made} */
function whole({ values }, { characters, nodes }) {
  if (values === undefined || !isMap(values)) throw wrong("the values of a snapshot are no map");
  return { values: freeze(values), characters, nodes, accepted: false };
}

/** @param {Run} run @param {any} m @returns {Made} */
function same(run, { cursor }) {
  const has = run.has;
  if (!has || (has.state.cursor !== cursor && !run.open)) return run.forget("the server takes us for another state than we have");
  return { values: has.state.values, characters: has.characters, nodes: has.nodes, accepted: has.decided && !has.error };
}

/** @param {Run} run @param {any} m @param {Size} size @returns {Made} */
function patched(run, { from, patch }, size) {
  const has = run.has;
  if (!has || has.state.cursor !== from) return run.forget("a delta begins at another state than we have");
  try {
    const values = applyPatch(has.state.values, patch);
    if (!isMap(values)) throw wrong(`a patch makes the values ${nameOf(values)}`);
    return { values, ...grown(run, values, has, size), accepted: false };
  } catch (error) {
    run.has = null;
    throw error;
  }
}

/** How large values are after a patch: most of what was patched has been replaced since. @param {Run} run @param {JsonMap} values @param {Offer} has @param {Size} size */
function grown(run, values, has, size) {
  const most = { characters: has.characters + size.characters, nodes: has.nodes + size.nodes };
  if (most.characters <= run.o.bounds.characters && most.nodes <= run.o.bounds.nodes) return most;
  const { characters, nodes } = bounded(run, stringify(values), 0, MAX_DEPTH);
  return { characters, nodes };
}

/** @param {Run} run @param {any} m */
function chunk(run, { cursor, index = 0, data = "" }) {
  const p = run.parts;
  if (!p || cursor !== p.head.cursor || index !== p.next) return run.forget("a chunk belongs to nothing");
  p.length += data.length;
  if (p.length > run.o.bounds.characters) run.forget(`a snapshot is longer than ${run.o.bounds.characters} characters`);
  p.text.push(data);
  if (++p.next < p.head.chunks) return;
  run.parts = null;
  const text = p.text.join("");
  const size = bounded(run, text, 0, 0);
  const { chunks, ...head } = p.head;
  advance(run, { ...head, values: parse(text, size.integers) }, size);
}

/** What the server takes us to have. It is answered, so that the server knows that we are there. @param {Run} run @param {any} m */
function ping(run, { cursor }) {
  if (run.parts) return alive(run); // what it names is on its way
  if (run.has?.state.cursor !== cursor) run.forget("the server is at another state than we have");
  const has = /** @type {Offer} */ (run.has);
  if (has.decided) reply(run, has);
  else alive(run);
}

/** Answers while there is nothing to say yet of what the server has sent. @param {Run} run */
function alive(run) {
  const cursor = run.feed.state?.cursor;
  if (cursor) run.connection?.send({ type: "ack", cursor });
}
