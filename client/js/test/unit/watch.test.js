// Reading and watching.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isRedacted } from "../../src/index.js";
import { TIMES } from "../../src/limits.js";
import { follow } from "../helper/follow.js";
import { delta, settle, snapshot } from "../helper/socket.js";

const values = {
  text: "x", on: true, n: 20, ratio: 1.5, list: [1], map: { a: 1 }, nothing: null, wait: "90s", dsn: { $redacted: true, fp: "ab" }, deep: { dsn: { $redacted: true, fp: "cd" } },
};

test("a default decides what is read", async (t) => {
  const f = follow(t);
  await f.open(snapshot("c1", values));
  const c = f.client;
  for (const reads of [c, c.state]) {
    assert.deepEqual([reads.get("text", ""), reads.get("on", false), reads.get("n", 0), reads.get("ratio", 0), reads.get("list", []), reads.get("map", {})], ["x", true, 20, 1.5, [1], { a: 1 }]);
    assert.deepEqual([reads.get("map.a"), reads.get("nothing"), reads.get("nothing", null), reads.get("text", null), reads.get("none"), reads.get("none", null)], [1, null, null, "x", undefined, null]);
    assert.deepEqual([reads.int("n", 0), reads.int("n", 0n), reads.get("n", 0n), reads.duration("wait", 0)], [20, 20n, 20n, 90_000]);
    assert.deepEqual([reads.get("none", "d"), reads.int("none", 7), reads.duration("none", 5)], ["d", 7, 5]);
  }
  assert.deepEqual(f.log, []);
  assert.ok(isRedacted(c.get("dsn")) && isRedacted(c.get("deep", {}).dsn));
});

test("something of another type gives the default, and is told once for each state", async (t) => {
  const f = follow(t);
  const s = await f.open(snapshot("c1", values));
  const c = f.client;
  for (const [read, want, told] of [
    [() => c.get("n", "d"), "d", "n: expected a string, found a number"],
    [() => c.get("text", 7), 7, "text: expected a number, found a string"],
    [() => c.get("n", true), true, "n: expected a boolean, found a number"],
    [() => c.get("list", { d: 1 }), { d: 1 }, "list: expected a map, found a list"],
    [() => c.get("map", [1]), [1], "map: expected a list, found a map"],
    [() => c.get("nothing", 7), 7, "nothing: expected a number, found null"],
    [() => c.get("dsn", "d"), "d", "dsn: expected a string, found a redacted value"],
    [() => c.get("dsn", {}), {}, "dsn: expected a map, found a redacted value"],
    [() => c.int("ratio", 7), 7, "ratio: expected an integer that a number can hold, found a number"],
    [() => c.int("ratio", 7n), 7n, "ratio: expected an integer, found a number"],
    [() => c.duration("n", 7), 7, "n: expected a duration, as 90s or 7d, found a number"],
    [() => c.duration("text", 7), 7, "text: expected a duration, as 90s or 7d, found a string"],
    [() => c.get("a..b", 7), 7, 'a..b: expected a path, found "a..b", at character 3: a segment is empty'],
    [() => c.get(undefined, 7), 7, "undefined: expected a path, found a path is a string"],
  ]) {
    f.log.length = 0;
    assert.deepEqual([read(), read()], [want, want]);
    assert.deepEqual(f.log, [`warn: trunkline: ${told}: the default is used`]);
  }
  const { path, expected, found } = f.events.filter((e) => e.kind === "unreadable")[0];
  assert.deepEqual([path, expected, found], ["n", "a string", "a number"]);
  f.log.length = 0;
  s.say(delta("c1", "c2", [{ op: "replace", path: "/n", value: 21 }]));
  c.get("n", "d");
  assert.equal(f.log.length, 1);
  for (let i = 0; i < 5000; i++) c.get(`bad path ${i}`, 7);
  assert.equal(f.log.length, 1000, "what is told is bounded");
});

test("one who watches is told at once and after each change of what is selected", async (t) => {
  const f = follow(t);
  const seen = [];
  const note = (u) => seen.push([u.state.cursor, u.values, u.changes.map((c) => [c.path, c.old, c.new])]);
  const stop = f.client.watch(["a.**", "b"], note);
  const s = await f.open(snapshot("c1", { a: { x: 1 }, z: 1 }));
  assert.deepEqual(seen.splice(0), [["c1", { a: { x: 1 } }, [["a", undefined, { x: 1 }]]]]);
  s.say(delta("c1", "c2", [{ op: "replace", path: "/z", value: 2 }]));
  await settle();
  assert.deepEqual(seen, []);
  s.say(snapshot("c3", { a: { x: 1 }, z: 3 }));
  await settle();
  assert.deepEqual(seen, [], "the same values are no change, though they came anew");
  s.say(delta("c3", "c4", [{ op: "add", path: "/b", value: 1 }, { op: "replace", path: "/a/x", value: 2 }]));
  await settle();
  assert.deepEqual(seen.splice(0), [["c4", { a: { x: 2 }, b: 1 }, [["a.x", 1, 2], ["b", undefined, 1]]]]);
  let later = 0;
  f.client.watch("z", () => later++);
  assert.equal(later, 0, "never before watch has returned");
  await settle();
  assert.equal(later, 1);
  stop();
  s.say(delta("c4", "c5", [{ op: "replace", path: "/b", value: 9 }]));
  await settle();
  assert.deepEqual(seen, []);
  let none = 0;
  f.client.watch("nothing.here", () => none++);
  await settle();
  assert.equal(none, 1, "what is selected is told at first even if it is nothing");
  assert.throws(() => f.client.watch("a..b", () => {}), { code: "badPattern" });
});

test("whoever is busy misses what lies between and gets the newest", async (t) => {
  const f = follow(t);
  const seen = [];
  let go;
  f.client.watch("**", async (u) => {
    seen.push([u.state.cursor, u.changes.length]);
    await new Promise((resolve) => (go = resolve));
  });
  let others = 0;
  f.client.watch("n", () => others++);
  const s = await f.open(snapshot("c0", { n: 0 }));
  for (let i = 0; i < 5; i++) {
    s.say(delta(`c${i}`, `c${i + 1}`, [{ op: "replace", path: "/n", value: i + 1 }]));
    await settle();
  }
  assert.deepEqual(seen, [["c0", 1]]);
  assert.equal(others, 6, "nobody else is held up");
  go();
  await settle();
  assert.deepEqual(seen, [["c0", 1], ["c5", 1]]);
  go();
  await settle();
  assert.equal(seen.length, 2);
});

test("what a callback throws is logged and harms nobody", async (t) => {
  const f = follow(t, { onEvent: () => { throw new Error("event"); } });
  let good = 0;
  f.client.watch("**", () => { throw new Error("thrown"); });
  f.client.watch("**", () => Promise.reject(new Error("rejected")));
  f.client.watch("**", () => { throw null; });
  f.client.watch("**", () => { throw Object.create(null); });
  f.client.watch("**", () => good++);
  const s = await f.open(snapshot("c1", { n: 1 }), delta("c1", "c2", [{ op: "replace", path: "/n", value: 2 }]));
  s.say(delta("c2", "c3", [{ op: "replace", path: "/n", value: 3 }]));
  await settle();
  assert.equal(good, 2);
  assert.equal(s.closed, undefined);
  for (const says of ["a watch of ** failed: Error: thrown", "a watch of ** failed: Error: rejected", "a watch of ** failed: null", "a watch of ** failed: something that has no words", "onEvent failed: event"]) {
    assert.equal(f.log.filter((line) => line.includes(says)).length, 3 - says.startsWith("a watch"), says);
  }
});

test("an event that a program takes its time for, and a log, may fail", async (t) => {
  const slow = follow(t, { onEvent: async () => { throw new Error("later"); } });
  await slow.open(snapshot("c1", { n: 1 }));
  assert.deepEqual(slow.log, ["error: trunkline: onEvent failed: later"]);
  const fail = () => { throw new Error("disk full"); };
  const f = follow(t, { log: { warn: fail, error: fail } });
  f.client.watch("n", () => { throw new Error("thrown"); });
  (await f.open(snapshot("c1", { n: 1 }))).end(1006);
  assert.equal(f.client.get("n", "text"), "text");
  await f.pass(TIMES.firstRetry * 1.1);
  assert.equal(f.made.length, 2);
});

test("a program may end whatever it is told of while it is told", async (t) => {
  const f = follow(t);
  let calls = 0;
  const stop = f.client.watch("**", () => { calls++; stop(); });
  f.client.watch("**", () => f.client.close());
  f.client.watch("**", () => calls++);
  const s = await f.open(snapshot("c1", { n: 1 }));
  assert.equal(s.closed, 1000);
  assert.equal(calls, 1);
  f.client.watch("**", () => calls++);
  await settle();
  assert.equal(calls, 1, "nothing is told after close");
});

test("who watches after a refusal is told what there is", async (t) => {
  const f = follow(t);
  (await f.open(snapshot("c1", { n: 1 }))).end(4400);
  await settle();
  let seen;
  f.client.watch("n", (u) => (seen = u.values));
  await settle();
  assert.deepEqual(seen, { n: 1 });
});
