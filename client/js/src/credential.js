// How a client shows who it is. A WebSocket of browsers has no headers of its own, and no long-lived credential may stand in an address: so
// a token is exchanged for a ticket, which serves once.

import { TrunklineError, wrap } from "./errors.js";
import { MAX_ANSWER } from "./limits.js";
import { timely } from "./timely.js";

/** @import {Settings} from "./options.js" */

const tokenShape = /^[\x21-\x7e]+$/;
const ticketShape = /^tlt_[A-Za-z0-9_-]{1,256}$/;

/**
 * The address for one connection.
 * @param {Settings} o
 * @param {boolean} known a server has let this client in before
 * @param {AbortSignal} signal
 */
export async function addressOf(o, known, signal) {
  if (!o.token && !o.ticket) return o.stream;
  const ticket = o.ticket ? await given(o, o.ticket, signal) : await bought(o, known, signal);
  return `${o.stream}?ticket=${ticket}`;
}

/** A ticket that the program gives. @param {Settings} o @param {() => string | Promise<string>} ask @param {AbortSignal} signal */
async function given(o, ask, signal) {
  const ticket = await timely(o.times.dial, signal, "the program's ticket", ask).catch((error) => {
    throw wrap(error, "ticket", "the program's ticket");
  });
  if (typeof ticket !== "string" || !ticketShape.test(ticket)) {
    throw new TrunklineError("badTicket", "the program's ticket is none", { hint: "give one of POST /v1/tickets, which begins with tlt_", terminal: true });
  }
  return ticket;
}

/** A ticket in exchange for the token. @param {Settings} o @param {boolean} known @param {AbortSignal} signal */
async function bought(o, known, signal) {
  const answer = await call(o, o.tickets, "POST", signal);
  if (answer.status !== 200) throw refusal(answer, known);
  const ticket = answer.body?.ticket;
  if (typeof ticket !== "string" || !ticketShape.test(ticket)) throw new TrunklineError("ticket", "the server's answer holds no ticket");
  return ticket;
}

/**
 * Why a connection was not let in, which a WebSocket does not tell: what the same address answers to a plain request. Null when it does
 * not tell either.
 * @param {Settings} o
 * @param {AbortSignal} signal
 */
export async function inquire(o, signal) {
  if (o.token || o.ticket) return null; // the ticket was told already
  try {
    const answer = await call(o, o.stream.replace(/^ws/, "http"), "GET", signal);
    return answer.status === 426 ? null : refusal(answer, false); // 426: the server would let us in
  } catch {
    return null;
  }
}

/**
 * An answer of HTTP that is small.
 * @typedef {{status: number, retryAfter: number, body: any}} Answer
 */

/** @param {Settings} o @param {string} url @param {"GET" | "POST"} method @param {AbortSignal} signal @returns {Promise<Answer>} */
async function call(o, url, method, signal) {
  const headers = await authorization(o, signal);
  const what = "the server";
  try {
    return await timely(o.times.dial, signal, what, async (given) => {
      const response = await o.fetch(url, {
        method, headers, signal: given, cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
      });
      return { status: response.status, retryAfter: Number(response.headers.get("Retry-After")) || 0, body: await bodyOf(response) };
    });
  } catch (error) {
    throw wrap(error, "unreachable", what);
  }
}

/** @param {Settings} o @param {AbortSignal} signal @returns {Promise<Record<string, string>>} */
async function authorization(o, signal) {
  if (!o.token) return {};
  const token = await timely(o.times.dial, signal, "the program's token", o.token).catch((error) => {
    throw wrap(error, "token", "the program's token");
  });
  if (typeof token !== "string" || !tokenShape.test(token)) {
    throw new TrunklineError("badToken", "the program's token holds what no token can", { terminal: true }); // and must not be told
  }
  return { Authorization: `Bearer ${token}` };
}

/** What an answer says, as far as it is short. @param {Response} response */
async function bodyOf(response) {
  const reader = response.body?.getReader();
  if (!reader) return null;
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_ANSWER) {
      void reader.cancel().catch(() => {});
      return null;
    }
    text += decoder.decode(value, { stream: true });
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The error of an answer that lets nobody in. A token that was good may be replaced by its next: then connecting again is of use.
 * @param {Answer} answer
 * @param {boolean} known
 */
function refusal({ status, retryAfter, body }, known) {
  const told = body?.error ?? {};
  const terminal = status === 403 || status === 421 || (status === 401 && !known);
  const after = Math.min(Math.max(retryAfter, 0), 3600) * 1000;
  return new TrunklineError(String(told.code ?? `http${status}`), String(told.message ?? `the server answers ${status}`), {
    hint: told.hint === undefined ? undefined : String(told.hint),
    terminal,
    retryAfterMs: after > 0 ? after + Math.random() * after : undefined, // all others are told the same
  });
}
