// A server that is only what the protocol page says, for tests that draw what happens.

import { parsePatterns, select } from "../../src/pattern.js";
import { diff } from "../../src/diff.js";
import { parsePath } from "../../src/path.js";
import { equal, freeze, stringify } from "../../src/json.js";
import { sha256 } from "../../src/sha256.js";

const pointer = (path) => parsePath(path).map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** What leads from one value to the other, as JSON Patch. */
export function patchOf(before, after) {
  return diff(before, after).map(({ path, old, new: now }) => {
    const op = now === undefined ? "remove" : old === undefined ? "add" : "replace";
    return { op, path: pointer(path), ...(now !== undefined && { value: now }) };
  });
}

/** A value whose maps have their members in the order of their names. */
function ordered(v) {
  if (v === null || typeof v !== "object") return v;
  return Array.isArray(v) ? v.map(ordered) : Object.fromEntries(Object.keys(v).sort().map((key) => [key, ordered(v[key])]));
}

/** A variant that only these values belong to. */
export const variantOf = (values) => sha256(stringify(ordered(values))).slice(0, 20);

export class Model {
  known = new Map(); // states by cursor
  sessions = new Map(); // by socket
  phase = 1; // of its experiments, which changes no values

  constructor(r, values) {
    this.r = r;
    this.put(values);
  }

  put(values) {
    this.values = freeze(values);
  }

  /** What a client of these patterns is to have. */
  view(patterns) {
    const values = select(this.values, parsePatterns(patterns));
    const cursor = sha256(stringify([patterns, values])).slice(0, 20);
    this.known.set(cursor, values);
    return { cursor, values };
  }

  /** The experiments that somebody is in, whose variant tells the values that they belong to. */
  assignments({ targetingKey }, values) {
    if (targetingKey === undefined || Object.hasOwn(values, "b")) return [];
    return [{ experiment: targetingKey, variant: variantOf(values), phase: this.phase, layer: "layer" }];
  }

  /** Opens sockets, and answers what clients have said since. */
  serve(sockets) {
    for (const socket of sockets) {
      if (socket.closed !== undefined || socket.gone) continue;
      if (!this.sessions.has(socket)) {
        this.sessions.set(socket, { socket, heard: 0, patterns: [], context: {}, has: null, told: [] });
        socket.open();
      }
      const session = this.sessions.get(socket);
      while (session.heard < socket.sent.length) this.#answer(session, socket.sent[session.heard++]);
    }
  }

  #answer(session, m) {
    if (m.type === "hello") {
      [session.patterns, session.context] = [m.patterns ?? [], m.context ?? {}];
      this.#begin(session, m.cursor && this.known.has(m.cursor) && this.r.below(4) > 0 ? m.cursor : null);
    } else if (m.type === "update") {
      const same = stringify(m.patterns) === stringify(session.patterns);
      [session.patterns, session.context] = [m.patterns, m.context];
      this.#begin(session, same ? session.has : null);
    }
  }

  /** Answers one who has a state, or none. */
  #begin(session, cursor) {
    session.has = cursor;
    if (cursor === null || cursor !== this.view(session.patterns).cursor) return this.bring(session);
    this.#frame(session, { type: "current", cursor });
  }

  /** Says a message that leads to a state, and after it, if they have changed, which assignments belong to it; these sometimes late. */
  #frame(session, message, ...chunks) {
    this.#say(session, message);
    for (const chunk of chunks) this.#say(session, chunk);
    if (this.r.below(3) > 0) this.tell(session);
  }

  /** Says the assignments that have changed. */
  tell(session) {
    if (session.has === null) return;
    const list = this.assignments(session.context, this.known.get(session.has));
    if (equal(list, session.told)) return;
    session.told = list;
    this.#say(session, { type: "assignments", cursor: session.has, assignments: list });
  }

  /** Brings a session from what it has to what is live. */
  bring(session) {
    const { cursor, values } = this.view(session.patterns);
    if (session.has === cursor) return this.tell(session);
    const from = session.has;
    session.has = cursor;
    if (from !== null && this.r.below(5) > 0) {
      this.#frame(session, `{"type":"delta","from":"${from}","to":"${cursor}","cause":"commit","patch":${stringify(patchOf(this.known.get(from), values))}}`);
      return;
    }
    const text = stringify(values);
    if (this.r.below(2)) return this.#frame(session, `{"type":"snapshot","cursor":"${cursor}","reason":"hello","values":${text}}`);
    const chunks = 1 + this.r.below(4);
    const length = Math.ceil(text.length / chunks);
    const messages = [];
    for (let index = 0; index < chunks; index++) {
      if (this.r.below(3) === 0) messages.push({ type: "ping", cursor });
      messages.push({ type: "chunk", cursor, index, data: text.slice(index * length, (index + 1) * length) });
    }
    this.#frame(session, { type: "snapshot", cursor, chunks }, ...messages);
  }

  #say(session, message) {
    if (this.r.below(8) === 0) session.socket.say({ type: "later", cursor: "x", values: {} });
    session.socket.say(message);
  }

  live() {
    return [...this.sessions.values()].filter(({ socket }) => socket.closed === undefined && !socket.gone);
  }

  end(session, code, goaway) {
    if (goaway) session.socket.say({ type: "goaway", retryAfterMs: this.r.below(3000) });
    session.socket.gone = true;
    session.socket.end(code);
  }
}
