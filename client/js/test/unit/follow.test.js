// Following: connections, messages, refusals, limits.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { TrunklineError, connect, open } from "../../src/index.js";
import { TIMES } from "../../src/limits.js";
import { pause } from "../../src/run.js";
import { throws } from "../helper/check.js";
import { follow } from "../helper/follow.js";
import { assignments, delta, settle, snapshot, sockets } from "../helper/socket.js";

const testdata = new URL("../../../wire/testdata/", import.meta.url);
const golden = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, testdata), "utf8"));

test("the golden messages of a client are those it sends", async (t) => {
  const hello = golden("hello");
  const f = follow(t, { ...hello, client: hello.client, accept: (s) => { if (s.cursor === "bad") throw new Error(golden("nack").reason); } });
  const s = await f.open(snapshot(hello.cursor, {}), assignments(hello.cursor, []));
  assert.deepEqual(s.sent, [{ ...hello, cursor: undefined }, golden("ack")].map((m) => JSON.parse(JSON.stringify(m))));
  s.end(4000);
  await f.pass(TIMES.firstRetry * 1.1);
  const again = await f.open(snapshot("bad", {}), assignments("bad", []));
  assert.deepEqual(again.sent, [hello, { ...golden("nack"), cursor: "bad" }]);
  f.client.update({ patterns: golden("update").patterns, context: golden("update").context });
  assert.deepEqual(again.sent.at(-1), golden("update"));
  assert.equal(golden("helloLocal").evaluate, "local");
  assert.ok([...s.sent, ...again.sent].every((m) => m.evaluate === undefined), "it never asks to decide by itself");
});

test("the golden messages of a server are understood", async (t) => {
  const f = follow(t);
  const s = await f.open(golden("snapshot"));
  assert.deepEqual(f.client.state.values, { checkout: { dsn: { $redacted: true, fp: "9f2c41aa0b7d3e55" }, ratio: 1, timeout: 20 } });
  assert.equal(f.client.state.author, "Ada");
  assert.equal(f.client.state.commit.length, 40);
  s.say(golden("current"), golden("delta"));
  assert.deepEqual(f.client.state.values, { checkout: { dsn: { $redacted: true, fp: "9f2c41aa0b7d3e55" }, timeout: 30 }, search: { limit: null } });
  assert.equal(f.client.state.rollbackOf, golden("delta").rollbackOf);
  assert.equal(f.events.at(-1).cause, "rollback");
  assert.deepEqual(f.events.at(-1).changes.map((c) => c.path), ["checkout.ratio", "checkout.timeout", "search"]);
  s.say(golden("ping"));
  assert.deepEqual(s.sent.slice(1).map((m) => [m.type, m.cursor]), ["vZxPEOoxJ3JZ-DBl1-DA", "vZxPEOoxJ3JZ-DBl1-DA", "ddgBkj9eEflxIyoMh9LX", "ddgBkj9eEflxIyoMh9LX"].map((c) => ["ack", c]));
  s.say(golden("goaway"));
  await settle();
  assert.equal(f.events.at(-1).retry, 2750);
  assert.equal(f.events.at(-1).error.code, "goaway");
  const chunked = follow(t);
  const c = await chunked.open(golden("snapshotInChunks"), golden("chunk"));
  assert.equal(chunked.client.state, null);
  c.say(golden("ping"), golden("chunkLast"));
  assert.deepEqual(chunked.client.state.values, { checkout: { label: 'Grün "now"', timeout: 20 } });
  assert.deepEqual(c.sent.slice(1), [{ type: "ack", cursor: "vZxPEOoxJ3JZ-DBl1-DA" }]);
  const refused = follow(t);
  (await refused.open(golden("error"))).end(4404);
  await settle();
  assert.equal(refused.client.error.message, "no such environment is served; name one of prod, staging");
  assert.equal(refused.client.error.code, "unknownEnvironment");
  assert.equal(refused.client.error.hint, "name one of prod, staging");
});

test("the golden messages that come with experiments are understood", async (t) => {
  const f = follow(t);
  const s = await f.open(golden("snapshot"), golden("delta"), golden("assignments"));
  assert.deepEqual(f.client.assignments, golden("assignments").assignments);
  assert.deepEqual(f.kinds(), ["snapshot", "delta", "assignments"]);
  s.say(golden("assignmentsNone"));
  assert.deepEqual([f.client.assignments, f.kinds().at(-1)], [[], "assignments"]);
  const ramp = golden("deltaOfRamp");
  s.say(snapshot(ramp.from, { search: { newRanking: false } }), ramp);
  assert.deepEqual([f.client.state.values, f.client.state.cursor, f.events.at(-1).cause], [{ search: { newRanking: true } }, ramp.to, "ramp"]);
  assert.equal(s.closed, undefined);
});

test("the golden messages for those who decide by themselves are passed over", async (t) => {
  const f = follow(t);
  const s = await f.open(golden("snapshot"));
  const { state } = f.client;
  s.say(golden("definitions"), golden("definitionsNone"), golden("definitionsInChunks"));
  assert.deepEqual([f.client.state, s.sent.length, s.closed, f.kinds()], [state, 2, undefined, ["snapshot"]]);
  s.say(golden("deltaOfDefinitions"));
  assert.deepEqual([f.client.state.values, f.client.state.cursor, f.events.at(-1).changes], [state.values, golden("deltaOfDefinitions").to, []]);
});

test("every golden message is run", () => {
  const run = readFileSync(import.meta.filename ?? new URL(import.meta.url), "utf8");
  const names = readdirSync(testdata).filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -".json".length));
  for (const name of names) assert.ok(run.includes(`golden("${name}")`), name);
});

test("what is read belongs to one version, and stale is told", async (t) => {
  const f = follow(t);
  assert.equal(f.client.state, null);
  assert.ok(f.client.staleSince instanceof Date);
  assert.equal(f.client.get("a", 7), 7);
  assert.equal(f.client.int("a", 7n), 7n);
  assert.equal(f.client.duration("a", 7), 7);
  assert.equal(f.client.get("a"), undefined);
  const s = await f.open(snapshot("c1", { a: 1 }));
  assert.equal(f.ready.state, "ready");
  assert.equal(f.client.staleSince, null);
  const before = f.client.state;
  s.say(delta("c1", "c2", [{ op: "replace", path: "/a", value: 2 }]));
  assert.deepEqual([before.get("a"), f.client.get("a"), f.client.state.cursor], [1, 2, "c2"]);
  assert.ok(Object.isFrozen(f.client.state) && Object.isFrozen(f.client.state.values));
  const heard = Date.now();
  await f.pass(5000);
  s.end(1006);
  await settle();
  assert.deepEqual(f.client.staleSince, new Date(heard));
  assert.equal(f.client.get("a"), 2);
  await f.pass(TIMES.firstRetry * 1.1);
  const again = await f.open({ type: "current", cursor: "c2", commit: "c3" });
  assert.equal(again.sent[0].cursor, "c2");
  assert.deepEqual([f.client.staleSince, f.client.state.commit], [null, "c3"]);
  assert.deepEqual(f.kinds(), ["snapshot", "delta", "disconnected", "current"]);
});

test("messages of types that are not known are passed over", async (t) => {
  const f = follow(t);
  const s = await f.open({ type: "later", index: 7, more: [1] }, snapshot("c1", { a: 1 }), { type: "constructor", cursor: "c2", values: {} });
  assert.equal(s.closed, undefined);
  assert.equal(f.client.get("a", 0), 1);
  assert.equal(s.sent.length, 2);
});

test("integers that a number cannot hold arrive", async (t) => {
  const f = follow(t);
  const s = await f.open('{"type":"snapshot","cursor":"c1","values":{"id":9007199254740993,"n":5}}');
  assert.equal(f.client.get("id"), 9007199254740993n);
  s.say('{"type":"delta","from":"c1","to":"c2","patch":[{"op":"replace","path":"/id","value":-9223372036854775808}]}');
  assert.equal(f.client.get("id", 0n), -9223372036854775808n);
  assert.equal(f.client.get("n", 0n), 5n);
  assert.equal(f.client.int("id", 7), 7);
  assert.match(f.log[0], /id: expected an integer that a number can hold, found an integer that a number cannot hold/);
});

test("what does not fit is thrown away, and everything asked for anew", async (t) => {
  const a = snapshot("c1", { a: 1 });
  const chunks = { type: "snapshot", cursor: "c9", commit: "9", chunks: 2 };
  const part = (index, data, cursor = "c9") => ({ type: "chunk", cursor, index, data });
  for (const [says, ...messages] of [
    ["a delta begins at another state", a, delta("c2", "c3", [])],
    ["a delta begins at another state", delta("c1", "c2", [])],
    ["not there", a, delta("c1", "c2", [{ op: "remove", path: "/b" }])],
    ["a patch makes the values a list", a, delta("c1", "c2", [{ op: "replace", path: "", value: [] }])],
    ["another state than we have", a, { type: "current", cursor: "c2" }],
    ["another state than we have", { type: "current", cursor: "c1" }],
    ["another state than we have", a, { type: "ping", cursor: "c2" }],
    ["another state than we have", { type: "ping", cursor: "c1" }],
    ["another state than we have", { type: "ping" }],
    ["belongs to nothing", a, part(0, "{")],
    ["belongs to nothing", a, chunks, part(1, "{")],
    ["belongs to nothing", a, chunks, part(0, "{", "c8")],
    ["belongs to nothing", a, chunks, part(0, "{"), part(0, "}")],
    ["breaks off", a, chunks, part(0, "{"), a],
    ["breaks off", a, chunks, delta("c1", "c2", [])],
  ]) {
    const f = follow(t);
    const s = await f.open(...messages);
    assert.equal(s.closed, 1000, says);
    assert.match(f.events.at(-1).error.message, new RegExp(says));
    await f.pass(TIMES.firstRetry * 1.1);
    const next = await f.open();
    assert.equal(next.sent[0].cursor, undefined, says);
    assert.deepEqual(f.client.state?.values, messages[0] === a ? { a: 1 } : undefined, says);
    await f.client.close();
  }
});

test("what had begun on one connection is nothing on the next", async (t) => {
  const f = follow(t);
  const s = await f.open(snapshot("c1", { a: 1 }), { type: "snapshot", cursor: "c2", chunks: 2 }, { type: "chunk", cursor: "c2", index: 0, data: "{" });
  f.client.update({ patterns: ["a"] });
  s.end(1006);
  await f.pass(1000);
  const next = await f.open(snapshot("c2", { a: 2 }));
  assert.deepEqual([next.closed, f.client.get("a", 0)], [undefined, 2]);
  await f.pass(TIMES.update);
  f.client.update({ patterns: ["b"] });
  assert.equal(next.sent.at(-1).type, "update");
  next.end(1006);
  await f.pass(1000);
  assert.equal((await f.open({ type: "current", cursor: "c3" })).closed, 1000, "another cursor is not that of an update");
});

test("what answers an update may have another cursor, and nothing after it", async (t) => {
  const f = follow(t);
  const s = await f.open(snapshot("c1", { a: 1 }));
  f.client.update({ patterns: ["a"] });
  s.say({ type: "current", cursor: "c2" });
  assert.equal(f.client.state.cursor, "c2");
  s.say({ type: "current", cursor: "c3" });
  assert.equal(s.closed, 1000);
});

test("the same trouble is told once in the log, and each time as an event", async (t) => {
  const f = follow(t);
  for (let i = 0; i < 3; i++) {
    await settle();
    f.socket.fail();
    await f.pass(2000);
  }
  (await f.open()).end(1011, "another");
  await settle();
  assert.deepEqual(f.log.map((line) => line.split(": ").pop()), ["no connection", "another"]);
  assert.ok(f.kinds().length >= 4);
});

test("what is no message ends the connection, and nothing else", async (t) => {
  for (const message of [
    "", "{", "null", "7", "[]", "{}", '{"type":1}', '{"type":null}', '{"type":"snapshot","cursor":"c","values":[]}', '{"type":"snapshot","cursor":"c"}',
    '{"type":"snapshot","cursor":7,"values":{}}', '{"type":"snapshot","cursor":"c","values":{"$redacted":true,"fp":"a"}}', '{"type":"snapshot","cursor":"c","chunks":4097}',
    '{"type":"snapshot","cursor":"c","chunks":1.5}', '{"type":"snapshot","cursor":"c","chunks":-1}', '{"type":"chunk","index":4096}', '{"type":"chunk","data":7}',
    '{"type":"snapshot","cursor":"c","values":{"a":99999999999999999999}}', `{"type":"snapshot","cursor":"c","values":{"a":${"[".repeat(80)}${"]".repeat(80)}}}`,
    new ArrayBuffer(8),
  ]) {
    const f = follow(t);
    const s = await f.open(snapshot("c1", { a: 1 }), message);
    assert.equal(s.closed, 1000, String(message));
    assert.equal(f.events.at(-1).kind, "disconnected");
    assert.equal(f.client.get("a", 0), 1);
    await f.pass(TIMES.firstRetry * 1.1);
    assert.equal((await f.open()).sent[0].cursor, "c1", String(message));
    await f.client.close();
  }
});

test("no server can make the client take more than so much memory", async (t) => {
  const bounds = { characters: 1000, nodes: 100 };
  const long = "x".repeat(1001);
  const many = Array(101).fill(0);
  const envelope = 64 << 10;
  for (const messages of [
    [snapshot("c1", { a: long.repeat(70) })],
    [`${" ".repeat(envelope + 1001)}{"type":"ping"}`],
    [snapshot("c1", { a: Array(envelope + 200).fill(0) })],
    [{ type: "snapshot", cursor: "c1", chunks: 4 }, ...[0, 1, 2].map((index) => ({ type: "chunk", cursor: "c1", index, data: "x".repeat(400) }))],
    [{ type: "snapshot", cursor: "c1", chunks: 1 }, { type: "chunk", cursor: "c1", index: 0, data: JSON.stringify({ many }) }],
    [snapshot("c1", {}), ...Array.from({ length: 20 }, (_, i) => delta(`c${i + 1}`, `c${i + 2}`, [{ op: "add", path: `/k${i}`, value: "x".repeat(100) }]))],
    [snapshot("c1", {}), ...Array.from({ length: 12 }, (_, i) => delta(`c${i + 1}`, `c${i + 2}`, [{ op: "add", path: `/k${i}`, value: Array(10).fill(0) }]))],
  ]) {
    const f = follow(t, { bounds });
    const s = await f.open(...messages);
    assert.equal(s.closed, 1000);
    assert.match(f.events.at(-1).error.message, /longer than 1000 characters|more than 100 values/);
    await f.client.close();
  }
});

test("patches that replace what they wrote do not meet a limit", async (t) => {
  const f = follow(t, { bounds: { characters: 1000, nodes: 100 } });
  const s = await f.open(snapshot("c0", { a: 0 }));
  for (let i = 0; i < 500; i++) s.say(delta(`c${i}`, `c${i + 1}`, [{ op: "replace", path: "/a", value: `${i}${"x".repeat(100)}` }]));
  assert.equal(s.closed, undefined);
  assert.equal(f.client.state.cursor, "c500");
});

test("a connection that is silent, or comes to nothing, counts as dead", async (t) => {
  const f = follow(t);
  await settle();
  await f.pass(TIMES.dial - 1000);
  assert.deepEqual(f.kinds(), []);
  await f.pass(1000);
  assert.match(f.events.at(-1).error.message, /no connection within 10 s/);
  assert.equal(f.made[0].closed, 1000);
  f.made[0].open(); // too late
  assert.deepEqual(f.made[0].sent, []);
  await f.pass(TIMES.firstRetry * 1.1);
  const s = await f.open(snapshot("c1", { a: 1 }));
  for (let i = 0; i < 4; i++) {
    await f.pass(25_000);
    s.say({ type: "ping", cursor: "c1" });
  }
  assert.equal(s.closed, undefined);
  assert.equal(s.sent.filter((m) => m.type === "ack").length, 5);
  const last = Date.now();
  await f.pass(TIMES.silence - 1000);
  assert.equal(s.closed, undefined);
  await f.pass(1000);
  assert.equal(s.closed, 1000);
  assert.equal(f.events.at(-1).error.code, "silent");
  assert.deepEqual(f.client.staleSince, new Date(last));
  s.say(snapshot("c9", { a: 9 })); // too late
  assert.equal(f.client.get("a", 0), 1);
});

test("connecting again takes a random part of a time that doubles, or what the server asks for", () => {
  for (const attempt of [0, 1, 2, 5, 8, 20, 1e6]) {
    const most = Math.min(200 * 2 ** Math.min(attempt, 16), 30_000);
    const drawn = Array.from({ length: 300 }, () => pause(TIMES, new TrunklineError("x", "x"), attempt));
    assert.ok(drawn.every((ms) => ms >= most / 10 && ms < most * 1.1));
    assert.ok(Math.min(...drawn) < most * 0.2 && Math.max(...drawn) > most);
  }
  const asked = (retryAfterMs) => pause(TIMES, new TrunklineError("goaway", "x", { retryAfterMs }), 9);
  assert.deepEqual([0, -5, 2750, 1e9].map(asked), [200, 200, 2750, 300_000]);
});

test("a connection that lasted begins the waiting anew", async (t) => {
  t.mock.method(Math, "random", () => 0.9999);
  const f = follow(t);
  const retries = () => f.events.filter((e) => e.kind === "disconnected").map((e) => Math.round(e.retry));
  for (let i = 0; i < 4; i++) {
    (await f.open(snapshot("c1", {}))).end(1006);
    await f.pass(5000);
  }
  assert.deepEqual(retries(), [220, 440, 880, 1760]);
  const s = await f.open(snapshot("c1", {}));
  await f.pass(TIMES.settled);
  s.end(1006);
  await settle();
  assert.equal(retries().at(-1), 220);
  await f.pass(60_000);
  assert.deepEqual(retries().slice(5, 9), [440, 880, 1760, 3520], "an attempt that takes long is no connection that lasts");
});

test("close codes say whether connecting again is of use", async (t) => {
  for (const [code, again] of [[1000, true], [1002, true], [1006, true], [4000, true], [4001, true], [4029, true], [4399, true], [4400, false], [4404, false], [4499, false], [4500, true]]) {
    const f = follow(t);
    (await f.open(snapshot("c1", { a: 1 }))).end(code, "why");
    await settle();
    const error = f.events.at(-1).error;
    assert.deepEqual([error.terminal, error.closeCode, error.message], [!again, code, "why"]);
    assert.equal(f.client.error, again ? null : error);
    await f.pass(60_000);
    assert.equal(f.made.length > 1, again, String(code));
    assert.equal(f.client.get("a", 0), 1);
    await f.client.close();
  }
});

test("an error is judged by the close code after it, or without one after a while", async (t) => {
  const f = follow(t);
  const s = await f.open({ type: "error", code: "tooManyViews", message: "too many views", hint: "use others" });
  s.say(snapshot("c1", {})); // after an error nothing counts
  s.end(4029);
  await settle();
  assert.deepEqual([f.events.at(-1).error.code, f.events.at(-1).error.message, f.events.at(-1).error.terminal], ["tooManyViews", "too many views; use others", false]);
  assert.equal(f.client.state, null);
  await f.pass(TIMES.firstRetry * 1.1);
  await f.open({ type: "error", code: "notReady", message: "nothing is served yet".padEnd(10_000) });
  await f.pass(TIMES.close);
  assert.deepEqual([f.events.at(-1).error.code, f.events.at(-1).error.message.length], ["notReady", 1024]);
});

test("what does not speak the protocol is left", async (t) => {
  const f = follow(t);
  await settle();
  assert.deepEqual(f.socket.protocols, ["trunkline.v1.json"]);
  f.socket.open("");
  await settle();
  assert.match(f.events.at(-1).error.message, /does not speak trunkline.v1.json/);
});

test("what is asked for changes on the connection that there is", async (t) => {
  const f = follow(t, { patterns: ["a"], context: { targetingKey: "u1" } });
  f.client.update({ patterns: ["a", "b"] }); // before there is one
  const s = await f.open(snapshot("c1", { a: 1, b: 2 }), assignments("c1", []));
  assert.deepEqual([s.sent[0].patterns, s.sent[0].context], [["a", "b"], { targetingKey: "u1" }]);
  f.client.update({ patterns: ["a", "b"] });
  assert.equal(s.sent.length, 2, "nothing is sent for what was asked for");
  f.client.update({ patterns: ["b"] });
  assert.deepEqual(s.sent.at(-1), { type: "update", patterns: ["b"], context: { targetingKey: "u1" } });
  assert.equal(f.client.get("a", 0), 1, "what there is stays until the server answers");
  f.client.update({ patterns: ["c"] });
  f.client.update({ context: {} });
  f.client.update({ patterns: [] });
  assert.equal(s.sent.length, 3);
  s.say(snapshot("c2", { b: 2 }, { reason: "update" }), assignments("c2", []));
  await f.pass(TIMES.update);
  assert.deepEqual(s.sent.at(-1), { type: "update", patterns: [], context: {} });
  assert.equal(s.sent.length, 5, "changes in quick succession are one");
  s.say({ type: "current", cursor: "c3" }); // the same content has another cursor in another view
  assert.deepEqual([f.client.state.cursor, f.client.state.values], ["c3", { b: 2 }]);
  await f.pass(TIMES.update);
  f.client.update({ patterns: ["z"] });
  s.say(delta("c3", "c4", [{ op: "add", path: "/z", value: 1 }]));
  assert.equal(f.client.get("z", 0), 1);
  s.end(1006);
  await f.pass(1000);
  assert.deepEqual((await f.open()).sent[0].patterns, ["z"]);
});

test("what the server would refuse is not sent", async (t) => {
  const f = follow(t);
  const s = await f.open(snapshot("c1", {}));
  throws((change) => f.client.update(change), [
    [{ patterns: ["a..b"] }, "a segment is empty"],
    [{ patterns: [""] }, "an empty pattern"],
    [{ patterns: "a" }, "a list of strings"],
    [{ patterns: [7] }, "a path is a string"],
    [{ patterns: Array(101).fill("a") }, "101 patterns are more than 100"],
    [{ patterns: Array(100).fill("a".repeat(700)) }, "longer than 65536 bytes"],
    [{ context: [] }, "the context is an object"],
    [{ context: "u1" }, "the context is an object"],
    [{ context: { a: "é".repeat(8192) } }, "longer than 16384 bytes"],
    [{ context: { a: { b: { c: { d: [[]] } } } } }, "nested deeper than 5"],
    [{ context: Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`a${i}`, i])) }, "holds more than 256 values"],
    [{ context: { accountId: 2 ** 63 } }, "an integer beyond 64 bits; send a string"],
    [{ context: { name: "\ud800" } }, "half of a character"],
  ]);
  assert.throws(() => f.client.update({ context: { n: 1n } }), /cannot be sent as JSON/);
  f.client.update({ context: { name: "\\ud800 𝄞", ids: [-(2 ** 62), 1e30, { "": [{}] }], many: Array(245).fill(null) } });
  assert.equal(s.sent.at(-1).context.name, "\\ud800 𝄞");
  assert.deepEqual(s.sent.at(-1).patterns, []);
});

test("options are checked", () => {
  const { FakeSocket } = sockets();
  throws((options) => open({ WebSocket: FakeSocket, log: null, url: "http://server.test", ...options }).close(), [
    [{ url: "" }, "no server's URL"],
    [{ url: "server.test" }, "no server's URL"],
    [{ url: "ftp://server.test" }, "a URL of ftp: is no server's"],
    [{ url: "https://user:secret@server.test" }, "pass a credential as token or ticket"],
    [{ url: "https://server.test/?token=secret" }, "pass a credential as token or ticket"],
    [{ token: "t", ticket: () => "t" }, "both a token and a ticket"],
    [{ token: "" }, "the token is empty"],
    [{ ticket: "tlt_x" }, "ticket is a function"],
    [{ env: "x".repeat(129) }, "env is a string of at most 128 bytes"],
    [{ client: { name: "é".repeat(65) } }, "name is a string of at most 128 bytes"],
    [{ patterns: ["*x"] }, "a whole segment"],
    [{ log: { warn() {} } }, "a log has the methods warn and error"],
  ]);
  const native = globalThis.WebSocket;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => open({ url: "http://server.test" }), /there is no WebSocket here/);
  } finally {
    if (native) globalThis.WebSocket = native;
  }
});

test("the server's address may have a path, and any scheme", async (t) => {
  for (const [url, address] of [
    ["http://server.test:7420", "ws://server.test:7420/v1/stream"],
    ["https://server.test/config", "wss://server.test/config/v1/stream"],
    ["wss://server.test/config/#x", "wss://server.test/config/v1/stream"],
    [new URL("ws://server.test"), "ws://server.test/v1/stream"],
  ]) {
    const f = follow(t, { url });
    await settle();
    assert.equal(f.socket.url, address);
    await f.client.close();
  }
});

test("connect waits for values, and no longer than it is told", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { FakeSocket, made } = sockets();
  const options = { url: "http://server.test", WebSocket: FakeSocket, log: null, fetch: () => Promise.reject(new Error("no network")) };
  const connecting = connect(options);
  await settle();
  made[0].open();
  made[0].say(snapshot("c1", { a: 1 }));
  const client = await connecting;
  assert.equal(client.get("a", 0), 1);
  await client.close();

  const given = new AbortController();
  const vain = connect({ ...options, signal: given.signal });
  await settle();
  made[1].fail();
  await settle();
  given.abort();
  await assert.rejects(vain, { code: "noValues", message: "no values from http://server.test/: no connection" });
  t.mock.timers.tick(60_000);
  await settle();
  assert.equal(made.length, 2, "it has ended");
  await assert.rejects(connect({ ...options, signal: AbortSignal.abort() }), { code: "noValues" });

  const refused = connect(options);
  await settle();
  made.at(-1).open();
  made.at(-1).end(4404, "no such environment");
  await assert.rejects(refused, { code: "refused", message: "no such environment", terminal: true });
});

async function kept(t) {
  const cache = { text: null, read: () => cache.text, write: (text) => (cache.text = text) };
  const f = follow(t, { cache });
  await f.open(snapshot("c1", { a: 1 }));
  await f.client.close();
  return cache;
}

test("close leaves nothing behind, whenever it comes", async (t) => {
  const never = new Promise(() => {});
  for (const [when, options, act] of [
    ["before anything", {}, () => {}],
    ["while connecting", {}, () => settle()],
    ["while connected", {}, (f) => f.open(snapshot("c1", { a: 1 }))],
    ["while waiting", {}, async (f) => ((await f.open(snapshot("c1", { a: 1 }))).end(1006), settle())],
    ["while a ticket is fetched", { ticket: () => never }, () => settle()],
    ["while an update waits", {}, async (f) => (await f.open(snapshot("c1", {})), f.client.update({ patterns: ["a"] }), f.client.update({ patterns: ["b"] }))],
    ["while the program judges", { accept: () => never }, (f) => f.open(snapshot("c1", {}))],
    ["while it does with what is cached", { cache: await kept(t) }, () => settle()],
    ["while the cache is read", { cache: { read: () => never, write() {} } }, () => settle()],
    ["after a refusal", {}, async (f) => (await f.open()).end(4400)],
  ]) {
    const f = follow(t, options);
    await act(f);
    await f.client.close();
    const state = f.client.state;
    await settle();
    assert.equal(f.timers.size, 0, when);
    const [events, log, made] = [f.events.length, f.log.length, f.made.length];
    assert.ok(f.made.every((s) => s.closed === 1000 || when === "after a refusal"), when);
    f.made.forEach((s) => (s.open(), s.say(snapshot("c9", { a: 9 })), s.end(4000)));
    await f.pass(200_000);
    assert.deepEqual([f.events.length, f.log.length, f.made.length], [events, log, made], when);
    assert.equal(f.client.state, state, when);
    assert.ok(f.client.staleSince, when);
    await f.client.close();
  }
});
