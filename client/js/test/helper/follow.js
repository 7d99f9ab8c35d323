// A client without a network, and with a clock that the test moves.

import assert from "node:assert/strict";
import { open } from "../../src/index.js";
import { settle, sockets } from "./socket.js";

/** Answers of HTTP for a client, and what it asked. */
export function http(answer) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, method: init.method, authorization: init.headers.Authorization, redirect: init.redirect, credentials: init.credentials });
    return answer(url, init);
  };
  return { fetch, asked };
}

export const refusing = (status, error, headers = {}) => () => new Response(JSON.stringify({ error }), { status, headers });

/** Stops the clock of a test, and counts the timers that have been begun and not ended. */
function clock(t) {
  if (t.timers) return t.timers;
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const open = new Set();
  const { setTimeout, clearTimeout } = globalThis;
  t.mock.method(globalThis, "setTimeout", (call, ms) => {
    const timer = setTimeout(() => {
      open.delete(timer);
      call();
    }, ms);
    open.add(timer);
    return timer;
  });
  t.mock.method(globalThis, "clearTimeout", (timer) => {
    open.delete(timer);
    clearTimeout(timer);
  });
  return (t.timers = open);
}

/** Follows with a fake WebSocket; the clock stands until the test moves it. */
export function follow(t, options = {}) {
  const timers = clock(t);
  const { FakeSocket, made } = sockets();
  const events = [];
  const log = [];
  const note = (level) => (message) => log.push(`${level}: ${message}`);
  const client = open({
    url: "http://server.test", WebSocket: FakeSocket, fetch: http(() => Promise.reject(new Error("no network"))).fetch,
    onEvent: (e) => events.push(e), log: { warn: note("warn"), error: note("error") }, ...options,
  });
  t.after(async () => {
    await client.close();
    assert.deepEqual(made.flatMap((s) => s.late), [], "something was sent after the end");
  });
  const ready = { state: "waiting" };
  client.ready.then(() => (ready.state = "ready"), (error) => (ready.state = error));
  return {
    client, events, log, made, ready, timers,
    get socket() {
      return made.at(-1);
    },
    kinds: () => events.map((e) => e.kind),
    /** Moves the clock, by a second at most and twice at least, and lets happen what is due. */
    async pass(ms) {
      await settle();
      const step = Math.min(ms / 2, 1000);
      for (let left = ms; left > 0; left -= step) {
        t.mock.timers.tick(Math.min(left, step));
        await settle();
      }
    },
    /** Opens the newest connection, and says something on it. */
    async open(...messages) {
      await settle();
      made.at(-1).open();
      made.at(-1).say(...messages);
      await settle();
      return made.at(-1);
    },
    settle,
  };
}
