// States on their way from the server to the program, which may reject them.

import { diff } from "./diff.js";
import { messageOf, wrap } from "./errors.js";
import { equal } from "./json.js";
import { MAX_REASON } from "./limits.js";
import { none } from "./message.js";

/** @import {TrunklineError} from "./errors.js" */
/** @import {Connection} from "./connection.js" */
/** @import {Asked} from "./request.js" */
/** @import {Run} from "./run.js" */
/** @import {State} from "./state.js" */

/**
 * A state on its way.
 * @typedef {object} Offer
 * @property {State} state
 * @property {"cached" | "snapshot" | "current" | "delta" | "assignments"} kind assignments where nothing else came
 * @property {string} cause
 * @property {number} characters of the values as JSON, at most
 * @property {number} nodes of the values, at most
 * @property {boolean} accepted the program has accepted these values before
 * @property {Asked} asked what it answers
 * @property {Connection | null} connection on which it came
 * @property {boolean} decided
 * @property {TrunklineError | null} error why the program does not accept it
 */

/**
 * Gives a state to the program, which is asked first if it wants to be. While it is asked about one, the newest waits.
 * @param {Run} run
 * @param {Offer} o
 */
export function offer(run, o) {
  run.has = o;
  if (run.judging) run.waiting = o;
  else if (!run.o.accept || o.accepted) decide(run, o, null);
  else judge(run, o);
}

/** Whether the program has accepted values, if not on this offer then before. @param {Offer} o */
export function isAccepted(o) {
  return o.decided ? !o.error : o.accepted;
}

/** @param {Run} run @param {Offer} o */
function judge(run, o) {
  const accept = /** @type {NonNullable<typeof run.o.accept>} */ (run.o.accept);
  try {
    const verdict = accept(o.state);
    if (run.closed) return;
    if (typeof (/** @type {any} */ (verdict)?.then) !== "function") return decide(run, o, null);
    run.judging = o;
    Promise.resolve(verdict).then(
      () => answered(run, o, null),
      (error) => answered(run, o, rejection(error)),
    );
  } catch (error) {
    decide(run, o, rejection(error));
  }
}

/** @param {unknown} thrown */
function rejection(thrown) {
  return wrap(thrown instanceof Error ? thrown : new Error(messageOf(thrown)), "rejected", "not accepted");
}

/** Takes what the program says, when it has taken its time. @param {Run} run @param {Offer} o @param {TrunklineError | null} error */
function answered(run, o, error) {
  if (run.judging !== o) return; // it is closed
  const next = run.waiting;
  run.judging = run.waiting = null;
  decide(run, o, error);
  if (next && !run.closed) judge(run, next);
}

/** What the program says from now on does not matter. @param {Run} run */
export function halt(run) {
  run.judging = run.waiting = null;
}

/** Makes a state the newest one, if it is accepted, and tells the server. @param {Run} run @param {Offer} o @param {TrunklineError | null} error */
function decide(run, o, error) {
  o.decided = true;
  o.error = error;
  if (error) reject(run, o, error);
  else accepted(run, o);
  if (o.kind !== "assignments") reply(run, o);
}

/** @param {Run} run @param {Offer} o */
function accepted(run, o) {
  const { kind, state, cause } = o;
  const before = run.feed.state;
  run.forgetReports();
  run.feed.put(state);
  if (o === run.has && o.connection && o.connection === run.connection) {
    run.feed.fresh();
    run.trouble = null;
  }
  run.keeper?.put(o);
  run.available();
  const changes = diff(before?.values ?? {}, state.values);
  if (kind === "delta" || (kind === "assignments" && changes.length > 0)) run.emit({ kind: "delta", state, changes, cause });
  else if (kind !== "assignments") run.emit({ kind, state, changes });
  tellAssignments(run, before, state);
}

/** Tells of assignments that have changed. @param {Run} run @param {Pick<State, "assignments"> | null} before @param {State} state */
export function tellAssignments(run, before, state) {
  const { assignments } = state;
  const had = before?.assignments ?? none;
  if (!equal(had, assignments)) run.emit({ kind: "assignments", state, assignments });
}

/** @param {Run} run @param {Offer} o @param {TrunklineError} error */
function reject(run, { state }, error) {
  run.feed.stale(new Date());
  run.trouble = error;
  run.o.log.error(`trunkline: the values stay as they were: ${error.message}`);
  run.emit({ kind: "rejected", state, error });
}

/** Tells the server what the program makes of a state, if it is the connection's own. @param {Run} run @param {Offer} o */
export function reply(run, { connection, state: { cursor }, error }) {
  if (!connection || connection !== run.connection) return;
  connection.send(error ? { type: "nack", cursor, reason: brief(reasonOf(error)) } : { type: "ack", cursor });
}

/** The program's own words. @param {TrunklineError} error */
function reasonOf(error) {
  return error.cause === undefined ? error.message : messageOf(error.cause);
}

/** A reason as it may be sent. @param {string} reason */
export function brief(reason) {
  const data = new TextEncoder().encode(reason);
  if (data.length <= MAX_REASON) return new TextDecoder().decode(data); // without halves of characters
  const more = "…";
  const room = MAX_REASON - new TextEncoder().encode(more).length;
  return new TextDecoder().decode(data.subarray(0, room), { stream: true }) + more; // without a last one that is cut
}
