// What a server says.

import { isAccepted, offer, reply } from "./accept.js";
import { TrunklineError } from "./errors.js";
import { equal, freeze, isMap, nameOf, parse, stringify } from "./json.js";
import { ENVELOPE, ENVELOPE_DEPTH, MAX_DEPTH } from "./limits.js";
import { assignmentsOf, bounded, none, parseMessage, words, wrong } from "./message.js";
import { applyPatch } from "./patch.js";
import { State } from "./state.js";

/** @import {JsonMap} from "../types/index.js" */
/** @import {Offer} from "./accept.js" */
/** @import {Size} from "./message.js" */
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
  const size = bounded(run.o.bounds, text, ENVELOPE, ENVELOPE_DEPTH);
  const m = parseMessage(text, size);
  if (run.parts && ["snapshot", "current", "delta", "assignments"].includes(m.type)) run.forget("a snapshot breaks off");
  switch (m.type) {
    case "snapshot":
    case "current":
    case "delta":
      return advance(run, m, size);
    case "chunk":
      return chunk(run, m);
    case "assignments":
      return assigned(run, m);
    case "ping":
      return ping(run, m);
    case "goaway":
      throw new TrunklineError("goaway", "the server stops or restarts", { retryAfterMs: Number.isFinite(m.retryAfterMs) ? m.retryAfterMs : 0 });
    case "error":
      return run.connection?.report({ code: words(m.code) || "error", message: words(m.message) || "the server reports an error", hint: words(m.hint) });
    default: // a newer server may say more than we know
  }
}

/** Makes an offer of what a message tells. @param {Run} run @param {any} m @param {Size} size */
function advance(run, m, size) {
  if (m.type === "snapshot" && m.chunks > 0) {
    run.parts = { head: m, next: 0, text: [], length: 0 };
    return;
  }
  const { has, connection, asked } = run;
  const made = m.type === "snapshot" ? whole(m, size) : m.type === "current" ? same(run, m) : patched(run, m, size);
  const { author, subject, rollbackOf, commit } = m;
  const cursor = m.type === "delta" ? m.to : m.cursor;
  const assignments = has?.connection === connection ? has?.state.assignments : none; // a new connection tells them anew
  const state = new State({ values: made.values, cursor, commit, author, subject, rollbackOf, assignments }, (u) => run.report(u));
  run.open = false;
  hold(run, { ...made, kind: m.type, cause: m.cause ?? "", state, asked, connection, decided: false, error: null });
}

/**
 * Gives the program a state. If its assignments differ from those before it, the server tells them next: so a program that has some, or
 * has said who asks, is given it together with them, or after a moment in which none have come.
 * @param {Run} run
 * @param {Offer} o
 */
function hold(run, o) {
  const some = run.has !== null && run.has.state.assignments.length > 0;
  if (run.held === undefined && !some && run.asked.context === "{}") return offer(run, o);
  run.has = o;
  const half = run.o.times.together / 2; // so that what came while the program was busy is heard before its time is over
  run.held ??= setTimeout(() => {
    run.held = setTimeout(() => run.drop() && offer(run, /** @type {Offer} */ (run.has)), half);
  }, half);
}

/** Gives the program a state with its assignments: the one that is held, or the one it has been given, once more. @param {Run} run @param {any} m */
function assigned(run, m) {
  const assignments = assignmentsOf(m.assignments);
  const held = run.drop();
  const has = run.has;
  if (!has || has.state.cursor !== m.cursor) return run.forget("assignments belong to another state than we have");
  const o = { ...has, state: has.state.with({ assignments }) };
  if (held || has === run.waiting) return offer(run, o);
  if (equal(has.state.assignments, assignments)) return;
  offer(run, { ...o, kind: "assignments", accepted: isAccepted(has), decided: false, error: null });
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
  return { values: has.state.values, characters: has.characters, nodes: has.nodes, accepted: isAccepted(has) };
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
  const { characters, nodes } = bounded(run.o.bounds, stringify(values), 0, MAX_DEPTH);
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
  const size = bounded(run.o.bounds, text, 0, 0);
  const { chunks, ...head } = p.head;
  advance(run, { ...head, values: parse(text, size.integers) }, size);
}

/** What the server takes us to have. It is answered, so that the server knows that we are there. @param {Run} run @param {any} m */
function ping(run, { cursor }) {
  if (run.parts) return alive(run); // what it names is on its way
  const has = run.has;
  if (!has || has.state.cursor !== cursor) return run.forget("the server is at another state than we have");
  if (has.decided) reply(run, has);
  else alive(run);
}

/** Answers while there is nothing to say yet of what the server has sent. @param {Run} run */
function alive(run) {
  const cursor = run.feed.state?.cursor;
  if (cursor) run.connection?.send({ type: "ack", cursor });
}
