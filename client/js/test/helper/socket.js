// A WebSocket whose other side the test is.

import { setImmediate as turn } from "node:timers/promises";

/** A kind of WebSocket that notes the ones made of it. */
export function sockets() {
  const made = [];
  class FakeSocket {
    protocol = "";
    sent = []; // by the client
    late = []; // after it had closed
    closed; // by the client, with this code
    #listeners = { open: [], message: [], error: [], close: [] };

    constructor(url, protocols) {
      this.url = url;
      this.protocols = protocols;
      made.push(this);
    }

    addEventListener(type, listener) {
      this.#listeners[type].push(listener);
    }

    send(text) {
      (this.closed === undefined ? this.sent : this.late).push(JSON.parse(text));
    }

    close(code) {
      this.closed ??= code;
    }

    #tell(type, event) {
      for (const listener of this.#listeners[type]) listener(event);
    }

    open(protocol = "trunkline.v1.json") {
      this.protocol = protocol;
      this.#tell("open", {});
    }

    say(...messages) {
      for (const m of messages) this.#tell("message", { data: typeof m === "string" || m instanceof ArrayBuffer ? m : JSON.stringify(m) });
    }

    fail() {
      this.#tell("error", {});
    }

    end(code, reason = "") {
      this.#tell("close", { code, reason });
    }
  }
  return { FakeSocket, made };
}

/** Lets everything happen that needs no time. */
export async function settle() {
  for (let i = 0; i < 10; i++) await turn();
}

export const snapshot = (cursor, values, more = {}) => ({ type: "snapshot", cursor, commit: cursor, reason: "hello", values, ...more });
export const delta = (from, to, patch, more = {}) => ({ type: "delta", from, to, commit: to, cause: "commit", patch, ...more });
export const assignments = (cursor, list) => ({ type: "assignments", cursor, assignments: list });
