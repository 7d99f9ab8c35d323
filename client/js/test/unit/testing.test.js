// The client that the tests of programs use.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TrunklineError, open } from "../../src/index.js";
import { fake } from "../../src/testing.js";
import { gives, throws } from "../helper/check.js";
import { settle, sockets } from "../helper/socket.js";

test("a fake is read as a client is", async () => {
  const f = fake({ "checkout.retries": 3, "checkout.timeout": "90s", hosts: ["a", "b"], search: { limit: 20 }, 'odd["a.b"]': null, id: 2n ** 60n, small: 7n });
  gives((read) => read(), [
    [() => f.int("checkout.retries", 0), 3],
    [() => f.duration("checkout.timeout", 0), 90_000],
    [() => f.get("hosts[1]"), "b"],
    [() => f.get("search", {}), { limit: 20 }],
    [() => f.get('odd["a.b"]'), null],
    [() => f.get("id", 0n), 2n ** 60n],
    [() => f.get("small"), 7],
    [() => f.get("none", "d"), "d"],
  ]);
  assert.deepEqual([f.staleSince, f.error, f.state.commit.length], [null, null, 40]);
  await f.ready;
});

test("what is set is told to those who watch, as one version", async () => {
  const f = fake({ n: 1 });
  const seen = [];
  const stop = f.watch(["n", "m"], (u) => seen.push(u.changes.map((c) => c.path)));
  assert.equal(f.watching, 1);
  await settle();
  const before = f.state;
  f.setAll({ n: 2, "m.x": 1 });
  await settle();
  f.remove("m.x");
  f.set("other", 1);
  await settle();
  assert.deepEqual(seen, [["n"], ["m", "n"], ["m.x"]]);
  assert.equal(before.get("n"), 1);
  stop();
  assert.equal(f.watching, 0);
  assert.deepEqual(f.get("m"), {});
});

test("a fake judges as the program does", () => {
  const f = fake({ n: -5 }, { accept: (s) => { if (s.int("n", 0) < 0) throw new Error("n cannot be negative"); } });
  assert.equal(f.get("n"), -5, "what it begins with is accepted");
  f.set("n", 4);
  f.set("n", -1);
  assert.equal(f.get("n"), 4);
  assert.deepEqual(f.nacks.map((n) => [n.reason, n.state.get("n")]), [["n cannot be negative", -1]]);
  assert.ok(f.staleSince);
  f.set("n", 6);
  assert.deepEqual([f.get("n"), f.staleSince], [6, null]);
});

test("a fake can be disconnected, redacted, refused and asked what was asked for", async () => {
  const f = fake({ dsn: "secret" });
  f.disconnect();
  assert.ok(f.staleSince);
  f.connect();
  assert.equal(f.staleSince, null);
  f.redact("dsn");
  assert.deepEqual(f.get("dsn"), { $redacted: true, fp: "0000000000000000" });
  f.update({ patterns: ["a.**"], context: { targetingKey: "u1" } });
  f.update({ patterns: ["b"] });
  assert.deepEqual([f.patterns, f.context], [["b"], { targetingKey: "u1" }]);
  assert.throws(() => f.update({ patterns: ["a..b"] }), { code: "badPattern" });
  const error = new TrunklineError("unknownEnvironment", "no such environment is served");
  f.refuse(error);
  assert.equal(f.error, error);
  await f.close();
  f.watch("**", () => assert.fail("after close"));
  f.set("dsn", 1);
  await settle();
});

test("a fake can be put in experiments", async () => {
  const f = fake({ n: 1 });
  assert.deepEqual(f.assignments, []);
  const { state } = f;
  f.setAssignments([{ experiment: "button", variant: "green" }, { experiment: "page", variant: "control", phase: 2, layer: "search", forced: true }]);
  const want = [{ experiment: "button", variant: "green", phase: 1, layer: "fake" }, { experiment: "page", variant: "control", phase: 2, layer: "search", forced: true }];
  assert.deepEqual([f.assignments, f.state.assignments, state.assignments, f.get("n")], [want, want, [], 1]);
  assert.notEqual(f.state.commit, state.commit);
  f.set("n", 2);
  assert.deepEqual(f.assignments, want, "they stay");
  throws((a) => f.setAssignments([a]), [[{ experiment: "a" }, "an assignment is none"], [{ experiment: "a", variant: "b", phase: 0 }, "an assignment is none"]]);
  assert.deepEqual(f.assignments, want);
  f.setAssignments([]);
  assert.deepEqual([f.assignments, f.get("n")], [[], 2]);
});

test("what a server could not say is refused", () => {
  const f = fake({ n: 1, list: [1] });
  throws(([path, value]) => f.set(path, value), [
    [["n.x", 1], "n.x: what stands above it is no map"],
    [["", 1], "the whole is set by the paths in it"],
    [["f", () => {}], "JSON cannot say that"],
    [["d", new Date(0)], "JSON cannot say that"],
    [["u", undefined], "JSON cannot say that"],
    [["u", { x: undefined }], "JSON cannot say that"],
    [["u", NaN], "JSON cannot say that"],
    [["a..b", 1], "a segment is empty"],
  ]);
  assert.throws(() => f.remove("none"), { message: "none: nothing stands there" });
});

test("what is set cannot be changed from outside", () => {
  const list = [1];
  const f = fake({ list });
  list.push(2);
  assert.deepEqual(f.get("list"), [1]);
  assert.throws(() => f.get("list").push(3), TypeError);
});

test("a fake has whatever a client has", () => {
  const client = open({ url: "http://server.test", WebSocket: sockets().FakeSocket, log: null });
  const members = (o) => (o === Object.prototype ? [] : [...Object.getOwnPropertyNames(o), ...members(Object.getPrototypeOf(o))]);
  const f = fake();
  for (const name of members(client)) assert.equal(typeof f[name] === "function", typeof client[name] === "function", name);
  return client.close();
});
