// Tokens and tickets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TrunklineError } from "../../src/index.js";
import { TIMES } from "../../src/limits.js";
import { follow, http, refusing } from "../helper/follow.js";
import { settle, snapshot } from "../helper/socket.js";

let tickets = 0;
const issuing = () => new Response(JSON.stringify({ ticket: `tlt_${++tickets}`, expires: "2026-11-01T09:00:30Z" }));

test("a token is exchanged for a ticket before each connection, and stands in no address", async (t) => {
  const { fetch, asked } = http(issuing);
  const tokens = ["tlk_one", "tlk_two"];
  const f = follow(t, { url: "https://server.test/config", token: async () => tokens.shift(), fetch });
  (await f.open(snapshot("c1", {}))).end(4001);
  await f.pass(TIMES.firstRetry * 1.1);
  await f.open();
  assert.deepEqual(asked, ["tlk_one", "tlk_two"].map((token) => ({
    url: "https://server.test/config/v1/tickets", method: "POST", authorization: `Bearer ${token}`, redirect: "error", credentials: "omit",
  })));
  assert.match(f.made[0].url, /^wss:\/\/server.test\/config\/v1\/stream\?ticket=tlt_\d+$/);
  assert.notEqual(f.made[0].url, f.made[1].url);
});

test("a refusal of the token ends following, unless it was good before", async (t) => {
  const refused = { code: "credentialUnknown", message: "the credential is not known", hint: "make one by trunkline token new" };
  for (const status of [401, 403, 421]) {
    const f = follow(t, { token: "tlk_x", fetch: http(refusing(status, refused)).fetch });
    await settle();
    assert.deepEqual([f.client.error.code, f.client.error.message, f.made.length], [refused.code, `${refused.message}; ${refused.hint}`, 0]);
    assert.deepEqual([f.ready.state, f.kinds()], [f.client.error, ["refused"]]);
    await f.pass(60_000);
    assert.equal(f.events.length, 1);
  }
  let answer = issuing;
  const f = follow(t, { token: () => "tlk_x", fetch: http(() => answer()).fetch });
  (await f.open(snapshot("c1", {}))).end(4001);
  answer = refusing(401, refused);
  await f.pass(1000);
  assert.equal(f.client.error, null);
  assert.equal(f.events.at(-1).error.code, "credentialUnknown");
  answer = issuing;
  await f.pass(10_000);
  assert.equal(f.made.length, 2);
});

test("a server that is full is called again when it says, and not by all at once", async (t) => {
  const waits = new Set();
  for (let i = 0; i < 10; i++) {
    const f = follow(t, { token: "tlk_x", fetch: http(refusing(429, { code: "tooManyTickets", message: "too many" }, { "Retry-After": "30" })).fetch });
    await settle();
    const { retry, error } = f.events.at(-1);
    assert.equal(error.code, "tooManyTickets");
    assert.ok(retry >= 30_000 && retry < 60_000, String(retry));
    waits.add(retry);
    await f.client.close();
  }
  assert.ok(waits.size > 1);
});

test("whatever the server answers in the place of a ticket, it is tried again", async (t) => {
  const stream = () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1024)) }));
  for (const [answer, says] of [
    [() => Promise.reject(new TypeError("fetch failed")), "the server: fetch failed"],
    [() => new Promise(() => {}), "the server: no answer within 10 s"],
    [() => new Response("not JSON"), "the server's answer holds no ticket"],
    [() => new Response(JSON.stringify({ ticket: "tlk_a&b" })), "the server's answer holds no ticket"],
    [() => new Response(JSON.stringify({ ticket: 7 })), "the server's answer holds no ticket"],
    [() => new Response("x".repeat(5000)), "the server's answer holds no ticket"],
    [stream, "the server's answer holds no ticket"],
    [() => new Response(null, { status: 502 }), "the server answers 502"],
    [refusing(500, { message: 7 }), "7"],
  ]) {
    const f = follow(t, { token: "tlk_x", fetch: http(answer).fetch });
    await settle();
    await f.pass(TIMES.dial);
    assert.equal(f.events.at(0).kind, "disconnected");
    assert.equal(f.events.at(0).error.message, says);
    await f.client.close();
  }
});

test("a request that is given up is aborted, and a connection that fails costs no other", async (t) => {
  const signals = [];
  const f = follow(t, { token: "tlk_x", fetch: (_url, { signal }) => (signals.push(signal), new Promise(() => {})) });
  await f.pass(TIMES.dial);
  await f.pass(1000);
  await f.client.close();
  assert.deepEqual(signals.map((s) => s.aborted), [true, true]);
  const { fetch, asked } = http(issuing);
  const g = follow(t, { token: "tlk_x", fetch });
  await settle();
  g.socket.fail();
  await settle();
  assert.deepEqual(asked.map((a) => a.method), ["POST"]);
});

test("a token never shows in an error", async (t) => {
  for (const token of ["tlk_ü", "tlk_a\nb", "", 7]) {
    const f = follow(t, { token: () => token });
    await settle();
    assert.deepEqual([f.client.error.code, f.client.error.terminal], ["badToken", true]);
    assert.ok(!JSON.stringify([f.log, f.client.error.message]).includes("tlk_"));
  }
  const f = follow(t, { token: () => { throw new Error("vault is sealed"); } });
  await settle();
  assert.equal(f.events[0].error.message, "the program's token: vault is sealed");
  assert.equal(f.client.error, null);
});

test("a program's own ticket is fetched before each connection", async (t) => {
  let n = 0;
  const f = follow(t, { ticket: async () => `tlt_${++n}` });
  (await f.open()).end(4000);
  await f.pass(TIMES.firstRetry * 1.1);
  await f.open();
  assert.deepEqual(f.made.map((s) => s.url.split("?")[1]), ["ticket=tlt_1", "ticket=tlt_2"]);
});

test("a program's ticket that fails is tried again, unless that is of no use", async (t) => {
  for (const [ticket, says, terminal] of [
    [() => Promise.reject(new Error("not signed in")), "the program's ticket: not signed in", false],
    [() => { throw new Error("at once"); }, "the program's ticket: at once", false],
    [() => new Promise(() => {}), "the program's ticket: no answer within 10 s", false],
    [() => Promise.reject(new TrunklineError("signedOut", "signed out", { terminal: true })), "signed out", true],
    [() => "tlk_long_lived", "the program's ticket is none; give one of POST /v1/tickets, which begins with tlt_", true],
    [() => "eyJhbGciOiJub25lIn0.e30.", "the program's ticket is none; give one of POST /v1/tickets, which begins with tlt_", true],
    [() => undefined, "the program's ticket is none; give one of POST /v1/tickets, which begins with tlt_", true],
  ]) {
    const f = follow(t, { ticket });
    await settle();
    await f.pass(TIMES.dial);
    assert.equal(f.events[0].error.message, says);
    assert.equal(f.client.error !== null, terminal, says);
    assert.equal(f.made.length, 0);
    await f.client.close();
  }
});

test("why a connection was not let in is asked for, since a WebSocket does not tell", async (t) => {
  const asking = async (answer, end) => {
    const { fetch, asked } = http(answer);
    const f = follow(t, { fetch });
    await settle();
    end(f.socket);
    await settle();
    return { f, asked };
  };
  const ends = [(s) => s.fail(), (s) => s.end(1006)];
  for (const end of ends) {
    const { f, asked } = await asking(refusing(401, { code: "credentialMissing", message: "a credential is missing" }), end);
    assert.deepEqual([f.client.error.code, asked[0].url, asked[0].method, asked[0].authorization], ["credentialMissing", "http://server.test/v1/stream", "GET", undefined]);
    const up = await asking(() => new Response("", { status: 426 }), end);
    assert.match(up.f.events[0].error.message, /no connection|code 1006/);
    assert.equal(up.f.client.error, null);
    const away = await asking(() => Promise.reject(new TypeError("fetch failed")), end);
    assert.match(away.f.events[0].error.message, /no connection|code 1006/);
    const other = await asking(() => new Response("", { status: 404 }), end);
    assert.deepEqual([other.f.events[0].error.code, other.f.client.error], ["http404", null]);
  }
});

test("a WebSocket that cannot be made at all ends following, and its words hold no ticket", async (t) => {
  const f = follow(t, {
    ticket: () => "tlt_x",
    WebSocket: class {
      constructor(url) {
        throw new DOMException(`${url} is insecure`, "SecurityError");
      }
    },
  });
  await settle();
  assert.equal(f.client.error.message, "no WebSocket can be made: ws://server.test/v1/stream is insecure");
});
