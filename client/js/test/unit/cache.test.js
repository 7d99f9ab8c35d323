// Values that are kept for the next run.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { localStorageCache } from "../../src/index.js";
import { TIMES } from "../../src/limits.js";
import { fileCache } from "../../src/node.js";
import { sha256 } from "../../src/sha256.js";
import { follow } from "../helper/follow.js";
import { assignments, delta, settle, snapshot } from "../helper/socket.js";

/** A cache that is a string. */
function memory(text = null) {
  const cache = { text, writes: 0, read: () => cache.text, write: (t) => { cache.text = t; cache.writes++; } };
  return cache;
}

const full = '{"type":"snapshot","cursor":"c1","commit":"4be2","author":"Ada","subject":"Begin","values":{"id":9007199254740993,"n":1,"dsn":{"$redacted":true,"fp":"ab"}}}';

/** A text of the cache, changed by somebody who knows how its checksum is made. */
function signed(text) {
  const body = text.slice(text.indexOf("\n") + 1);
  return `trunkline.cache.v1 ${sha256(body)}\n${body}`;
}

async function kept(t, options = {}) {
  const cache = memory();
  const f = follow(t, { cache, ...options });
  await f.open(full, assignments("c1", []));
  await f.client.close();
  return cache;
}

test("without any server a program begins with the values of its last run", async (t) => {
  const f = follow(t, { cache: await kept(t) });
  await settle();
  assert.deepEqual(f.client.state.values, { id: 9007199254740993n, n: 1, dsn: { $redacted: true, fp: "ab" } });
  assert.deepEqual([f.client.state.cursor, f.client.state.commit, f.client.state.author, f.client.state.subject], ["c1", "4be2", "Ada", "Begin"]);
  assert.ok(f.client.staleSince && Object.isFrozen(f.client.state.values));
  assert.deepEqual([f.kinds(), f.ready.state], [["cached"], "waiting"]);
  f.socket.fail();
  await settle();
  assert.equal(f.ready.state, "ready", "a server that is not there is not waited for");
});

test("what a version of the client before assignments kept is read", async (t) => {
  const { text } = await kept(t);
  const f = follow(t, { cache: memory(signed(text.replace('"assignments":[],', ""))) });
  await settle();
  assert.deepEqual([f.client.get("n"), f.client.assignments, f.log], [1, [], []]);
});

test("a server that takes long is not waited for either", async (t) => {
  const f = follow(t, { cache: await kept(t) });
  await settle();
  await f.pass(TIMES.kept - 1000);
  assert.equal(f.ready.state, "waiting");
  await f.pass(1000);
  assert.equal(f.ready.state, "ready");
});

test("the server is shown the cursor, and sends only what has changed", async (t) => {
  const cache = await kept(t);
  const f = follow(t, { cache });
  const s = await f.open(delta("c1", "c2", [{ op: "replace", path: "/n", value: 2 }]));
  assert.equal(s.sent[0].cursor, "c1");
  assert.equal(f.client.get("n", 0), 2);
  assert.deepEqual(f.events.at(-1).changes.map((c) => c.path), ["n"]);
  await settle();
  assert.match(cache.text, /"cursor":"c2".*"n":2/);
});

test("what cannot be trusted is passed over, with a word in the log", async (t) => {
  const { text } = await kept(t);
  for (const [cache, options, says] of [
    [memory(""), {}, "they are none"],
    [memory("{}"), {}, "they are none"],
    [memory(text.replace('"n":1', '"n":2')), {}, "damaged"],
    [memory(text.slice(0, -1)), {}, "damaged"],
    [memory(signed(text.replace('"cursor":"c1"', '"cursor":7'))), {}, "its cursor is a number"],
    [memory(signed(text.replace('"assignments":[]', '"assignments":[7]'))), {}, "an assignment is none"],
    [memory(signed(text.replace(/"values":.*/, '"values":[]}'))), {}, "they are no map"],
    [memory(text), { url: "http://other.test" }, "of another server"],
    [memory(text), { env: "prod" }, "of another server"],
    [memory(text), { patterns: ["n"] }, "of another server"],
    [memory(text), { context: { targetingKey: "u1" } }, "of another server"],
    [memory(text), { bounds: { characters: 10, nodes: 2 } }, "hold too much"],
    [memory(text), { accept: () => { throw new Error("not these"); } }, "not these"],
    [memory(text), { accept: async () => { throw new Error("not these"); } }, "not these"],
    [memory(7), {}, "they are none"],
    [{ read: () => { throw new Error("denied"); }, write() {} }, {}, "denied"],
    [{ read: () => Promise.reject(new Error("denied")), write() {} }, {}, "denied"],
  ]) {
    const f = follow(t, { cache, ...options });
    const s = await f.open();
    assert.equal(f.client.state, null, says);
    assert.ok(f.log[0].startsWith("warn: trunkline: the cached values are not used: ") && f.log[0].includes(says), f.log[0]);
    assert.equal(s.sent[0].cursor, undefined);
    await f.client.close();
  }
});

test("the order of patterns does not matter, and what is asked for is not told", async (t) => {
  const cache = await kept(t, { patterns: ["n", "id", "n"], context: { name: "Ada Lovelace" } });
  assert.ok(!cache.text.includes("Lovelace"));
  const f = follow(t, { cache, patterns: ["id", "n"], context: { name: "Ada Lovelace" } });
  await settle();
  assert.equal(f.client.get("n", 0), 1);
});

test("a cache that does not answer holds up nothing for long", async (t) => {
  const f = follow(t, { cache: { read: () => new Promise(() => {}), write() {} } });
  await settle();
  assert.equal(f.made.length, 0);
  await f.pass(TIMES.kept);
  const s = await f.open(snapshot("c1", { n: 1 }));
  assert.equal(s.sent.length, 2);
});

test("what is slow to write is written newest, and close waits for it", async (t) => {
  const written = [];
  let done;
  const cache = { read: () => null, write: (text) => (written.push(/"cursor":"(.*?)"/.exec(text)[1]), new Promise((resolve) => (done = resolve))) };
  const f = follow(t, { cache });
  await f.open(snapshot("c1", { n: 1 }), ...[2, 3, 4].map((n) => delta(`c${n - 1}`, `c${n}`, [{ op: "replace", path: "/n", value: n }])));
  assert.deepEqual(written, ["c1"]);
  let closed = false;
  const closing = f.client.close().then(() => (closed = true));
  done();
  await settle();
  assert.deepEqual([written, closed], [["c1", "c4"], false]);
  done();
  await closing;
});

test("what cannot be kept is told once, and served all the same", async (t) => {
  for (const write of [() => { throw new Error("quota"); }, () => Promise.reject(new Error("quota"))]) {
    let fails = true;
    let text;
    const f = follow(t, { cache: { read: () => null, write: (t) => (fails ? write() : void (text = t)) } });
    const s = await f.open(snapshot("c1", { n: 1 }));
    s.say(delta("c1", "c2", [{ op: "replace", path: "/n", value: 2 }]));
    await settle();
    assert.equal(f.client.get("n", 0), 2);
    assert.deepEqual(f.log, ["error: trunkline: the values are not cached: quota"]);
    fails = false;
    s.say(delta("c2", "c3", [{ op: "replace", path: "/n", value: 3 }]));
    await settle();
    assert.match(text, /"cursor":"c3"/, "once there is room again they are kept");
  }
});

test("what was not accepted is not kept", async (t) => {
  const cache = memory();
  const f = follow(t, { cache, accept: (s) => { if (s.get("n", 0) > 1) throw new Error("no"); } });
  await f.open(snapshot("c1", { n: 1 }), delta("c1", "c2", [{ op: "replace", path: "/n", value: 2 }]));
  await f.client.close();
  assert.equal(cache.writes, 1);
  assert.match(cache.text, /"cursor":"c1"/);
});

test("localStorage keeps values under a key", async () => {
  const stored = new Map();
  globalThis.localStorage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, text) => stored.set(key, text) };
  try {
    assert.equal(localStorageCache("k").read(), null);
    localStorageCache("k").write("text");
    assert.deepEqual([localStorageCache("k").read(), localStorageCache().read()], ["text", null]);
  } finally {
    delete globalThis.localStorage;
  }
});

test("a file is replaced as a whole, and nobody else reads it", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "trunkline-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "kept");
  const cache = fileCache(path);
  assert.equal(await cache.read(), null);
  writeFileSync(path, "old", { mode: 0o666 });
  await cache.write("é 𝄞");
  assert.deepEqual([await cache.read(), readFileSync(path, "utf8"), statSync(path).mode & 0o777], ["é 𝄞", "é 𝄞", 0o600]);
  assert.deepEqual(readdirSync(dir), ["kept"]);
  await assert.rejects(fileCache(join(dir, "none", "kept")).write("x"), { code: "ENOENT" });
  assert.ok(!existsSync(join(dir, "none")));
  await assert.rejects(fileCache(dir).read(), /it is no file/);
  execFileSync("mkfifo", [join(dir, "pipe")]);
  await assert.rejects(fileCache(join(dir, "pipe")).read(), /it is no file/);
  mkdirSync(join(dir, "folder"));
  await assert.rejects(fileCache(join(dir, "folder")).write("x"));
  assert.deepEqual(readdirSync(dir).sort(), ["folder", "kept", "pipe"]);
});
