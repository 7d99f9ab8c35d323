// A server that is only what the protocol page says, for tests that draw what happens.

import { parsePatterns, select } from "../../src/pattern.js";
import { diff } from "../../src/diff.js";
import { parsePath } from "../../src/path.js";
import { freeze, stringify } from "../../src/json.js";
import { sha256 } from "../../src/sha256.js";

const pointer = (path) => parsePath(path).map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** What leads from one value to the other, as JSON Patch. */
export function patchOf(before, after) {
  return diff(before, after).map(({ path, old, new: now }) => {
    const op = now === undefined ? "remove" : old === undefined ? "add" : "replace";
    return { op, path: pointer(path), ...(now !== undefined && { value: now }) };
  });
}

export class Model {
  known = new Map(); // states by cursor
  sessions = new Map(); // by socket

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

  /** Opens sockets, and answers what clients have said since. */
  serve(sockets) {
    for (const socket of sockets) {
      if (socket.closed !== undefined || socket.gone) continue;
      if (!this.sessions.has(socket)) {
        this.sessions.set(socket, { socket, heard: 0, patterns: [], has: null });
        socket.open();
      }
      const session = this.sessions.get(socket);
      while (session.heard < socket.sent.length) this.#answer(session, socket.sent[session.heard++]);
    }
  }

  #answer(session, m) {
    if (m.type === "hello") {
      session.patterns = m.patterns ?? [];
      session.has = m.cursor && this.known.has(m.cursor) && this.r.below(4) > 0 ? m.cursor : null;
      if (session.has !== null && session.has === this.view(session.patterns).cursor) this.#say(session, { type: "current", cursor: session.has });
      else this.bring(session);
    } else if (m.type === "update") {
      session.patterns = m.patterns;
      session.has = null;
      this.bring(session);
    }
  }

  /** Brings a session from what it has to what is live. */
  bring(session) {
    const { cursor, values } = this.view(session.patterns);
    if (session.has === cursor) return;
    const from = session.has;
    session.has = cursor;
    if (from !== null && this.r.below(5) > 0) {
      this.#say(session, `{"type":"delta","from":"${from}","to":"${cursor}","cause":"commit","patch":${stringify(patchOf(this.known.get(from), values))}}`);
      return;
    }
    const text = stringify(values);
    if (this.r.below(2)) return this.#say(session, `{"type":"snapshot","cursor":"${cursor}","reason":"hello","values":${text}}`);
    const chunks = 1 + this.r.below(4);
    const length = Math.ceil(text.length / chunks);
    this.#say(session, { type: "snapshot", cursor, chunks });
    for (let index = 0; index < chunks; index++) {
      if (this.r.below(3) === 0) this.#say(session, { type: "ping", cursor });
      this.#say(session, { type: "chunk", cursor, index, data: text.slice(index * length, (index + 1) * length) });
    }
  }

  #say(session, message) {
    if (this.r.below(8) === 0) session.socket.say({ type: "assignments", cursor: "x", assignments: [] });
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
