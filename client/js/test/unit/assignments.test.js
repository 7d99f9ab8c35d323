// The experiments that a client is in.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TIMES } from "../../src/limits.js";
import { follow } from "../helper/follow.js";
import { assignments, delta, settle, snapshot } from "../helper/socket.js";

const green = { experiment: "button", variant: "green", phase: 1, layer: "checkout" };
const blue = { ...green, variant: "blue" };
const page = { experiment: "page", variant: "control", phase: 3, layer: "search", forced: true };
const ada = { context: { targetingKey: "u1" } };
const colour = (from, to, value, more) => delta(from, to, [{ op: "replace", path: "/colour", value }], more);

/** What is shown: the values and the variants, of one state. */
const shown = ({ client: { state } }) => [state?.values.colour, ...(state?.assignments ?? []).map((a) => a.variant)];

test("nobody sees values of one state and assignments of another", async (t) => {
  const f = follow(t, ada);
  const seen = [];
  f.client.watch("**", ({ state }) => seen.push([state.values.colour, ...state.assignments.map((a) => a.variant)]));
  assert.deepEqual(f.client.assignments, []);
  const s = await f.open(snapshot("c1", { colour: "green" }));
  assert.deepEqual([f.client.state, f.ready.state, s.sent.length], [null, "waiting", 1]);
  s.say(assignments("c1", [green, page]));
  await settle();
  assert.deepEqual([shown(f), f.ready.state, s.sent.at(-1)], [["green", "green", "control"], "ready", { type: "ack", cursor: "c1" }]);
  assert.deepEqual(f.client.assignments, [green, page]);
  assert.equal(f.client.assignments, f.client.state.assignments);
  assert.ok([f.client.assignments, ...f.client.assignments].every(Object.isFrozen));
  const before = f.client.state;
  s.say(colour("c1", "c2", "blue", { cause: "ramp" }));
  await settle();
  assert.deepEqual(shown(f), ["green", "green", "control"]);
  s.say(assignments("c2", [blue]));
  await settle();
  assert.deepEqual([shown(f), before.assignments], [["blue", "blue"], [green, page]]);
  assert.deepEqual(seen, [["green", "green", "control"], ["blue", "blue"]]);
  assert.deepEqual(f.kinds(), ["snapshot", "assignments", "delta", "assignments"]);
  assert.deepEqual([f.events[2].cause, f.events[3].assignments, f.events[3].state], ["ramp", [blue], f.client.state]);
  assert.equal(f.timers.size, 1, "that of the connection");
});

test("assignments that change alone are told, with the values as they are", async (t) => {
  const f = follow(t, ada);
  let asked = 0;
  f.client.watch("**", () => asked++);
  const s = await f.open(snapshot("c1", { colour: "green" }), assignments("c1", [green]));
  const { values } = f.client.state;
  s.say(assignments("c1", [{ ...green, phase: 2 }]), assignments("c1", [{ ...green, phase: 2 }]), assignments("c1", []));
  await settle();
  assert.deepEqual(f.events.filter((e) => e.kind === "assignments").map((e) => e.assignments.map((a) => a.phase)), [[1], [2], []]);
  assert.deepEqual([f.kinds()[0], f.kinds().length, asked, s.sent.length], ["snapshot", 4, 1, 2], "it is not answered");
  assert.equal(f.client.state.values, values);
});

test("values wait for assignments for a moment, and only where some can be expected", async (t) => {
  const f = follow(t);
  const s = await f.open(snapshot("c1", { colour: "green" }));
  assert.deepEqual(shown(f), ["green"], "who does not say who asks expects none");
  s.say(assignments("c1", [green])); // the credential said it
  assert.deepEqual(shown(f), ["green", "green"]);
  s.say(colour("c1", "c2", "red"));
  assert.deepEqual(shown(f), ["green", "green"], "who has some may have others");
  await f.pass(TIMES.together);
  assert.deepEqual([shown(f), f.timers.size], [["red", "green"], 1], "those that have not changed are not told again");
  s.say(colour("c2", "c3", "green"), { type: "ping", cursor: "c3" });
  assert.deepEqual([shown(f), s.sent.at(-1)], [["red", "green"], { type: "ack", cursor: "c2" }], "meanwhile the client is there for the server");
  await f.pass(TIMES.together / 2);
  s.say(colour("c3", "c4", "blue", { cause: "stop" }));
  await f.pass(TIMES.together / 2);
  assert.deepEqual([shown(f), s.sent.at(-1)], [["blue", "green"], { type: "ack", cursor: "c4" }], "however often they change, it is for a moment");
  s.say(assignments("c4", [blue])); // late
  assert.deepEqual([shown(f), f.kinds()], [["blue", "blue"], ["snapshot", "assignments", "delta", "delta", "assignments"]]);
  s.say(assignments("c4", []), colour("c4", "c5", "red"));
  assert.deepEqual(shown(f), ["red"]);
});

test("a new connection says anew who is in what", async (t) => {
  const f = follow(t, ada);
  (await f.open(snapshot("c1", { colour: "green" }), assignments("c1", [green]))).end(4000);
  await f.pass(TIMES.firstRetry * 1.1);
  assert.deepEqual(shown(f), ["green", "green"], "meanwhile what there was stays");
  const s = await f.open({ type: "current", cursor: "c1" }, assignments("c1", [green]));
  assert.deepEqual([s.sent[0].cursor, shown(f)], ["c1", ["green", "green"]]);
  assert.deepEqual(f.kinds(), ["snapshot", "assignments", "disconnected", "current"]);
  s.end(4000);
  await f.pass(TIMES.firstRetry * 2.2);
  await f.open({ type: "current", cursor: "c1" });
  await f.pass(TIMES.together);
  assert.deepEqual([shown(f), f.kinds().slice(-2)], [["green"], ["current", "assignments"]], "who is in none is told nothing");
});

test("who asks may change: values and assignments do together", async (t) => {
  const f = follow(t, ada);
  const s = await f.open(snapshot("c1", { colour: "green" }), assignments("c1", [green]));
  f.client.update({ context: { targetingKey: "u2" } });
  assert.deepEqual(s.sent.at(-1), { type: "update", patterns: [], context: { targetingKey: "u2" } });
  assert.deepEqual(shown(f), ["green", "green"]);
  s.say(colour("c1", "c2", "blue", { cause: "context" }), assignments("c2", [blue]));
  assert.deepEqual([shown(f), f.events.at(-2).cause], [["blue", "blue"], "context"]);
  await f.pass(TIMES.update);
  f.client.update({ context: {} });
  s.say(colour("c2", "c3", "red", { cause: "context" }), assignments("c3", []));
  assert.deepEqual(shown(f), ["red"]);
  for (const cause of ["stop", "resume"]) {
    s.say(delta(f.client.state.cursor, cause, [{ op: "replace", path: "/colour", value: cause }], { cause }));
    assert.deepEqual([shown(f), f.events.at(-1).cause], [[cause], cause], "who asks for nobody in particular waits for nothing");
  }
});

test("what is large is complete with its last chunk and its assignments", async (t) => {
  const f = follow(t, ada);
  const text = JSON.stringify({ colour: "green" });
  const chunk = (index, data) => ({ type: "chunk", cursor: "c1", index, data });
  const s = await f.open({ type: "snapshot", cursor: "c1", chunks: 2 }, chunk(0, text.slice(0, 5)), chunk(1, text.slice(5)));
  assert.equal(f.client.state, null);
  s.say(assignments("c1", [green]));
  assert.deepEqual(shown(f), ["green", "green"]);
});

test("a program judges values with their assignments, and these alone only where it has not accepted the values", async (t) => {
  const asked = [];
  const f = follow(t, { ...ada, accept: (s) => {
    asked.push([s.values.colour, ...s.assignments.map((a) => a.variant)]);
    if (s.values.colour === "red") throw new Error("not red");
  } });
  const s = await f.open(snapshot("c1", { colour: "green" }), assignments("c1", [green]), assignments("c1", [green, page]));
  assert.deepEqual([asked, shown(f)], [[["green", "green"]], ["green", "green", "control"]]);
  s.say(colour("c1", "c2", "red"), assignments("c2", [blue]));
  assert.deepEqual([shown(f), s.sent.at(-1).type], [["green", "green", "control"], "nack"]);
  s.say(assignments("c2", []));
  assert.deepEqual([shown(f), asked.slice(1)], [["green", "green", "control"], [["red", "blue"], ["red"]]]);
  assert.deepEqual(s.sent.filter((m) => m.type === "nack").length, 1, "it is not answered");
  s.say({ type: "ping", cursor: "c2" });
  assert.equal(s.sent.at(-1).type, "nack");
  s.say(colour("c2", "c3", "blue"));
  await f.pass(TIMES.together);
  assert.deepEqual([shown(f), f.client.staleSince], [["blue"], null], "those of what it did not accept are those of what comes after it");
});

test("a program may accept values for the assignments that come with them", async (t) => {
  const f = follow(t, { accept: (s) => { if (s.values.colour === "blue" && s.assignments.length === 0) throw new Error("nobody is to see blue"); } });
  const s = await f.open(snapshot("c1", { colour: "green" }), colour("c1", "c2", "blue", { cause: "ramp" }));
  assert.deepEqual(shown(f), ["green"]);
  s.say(assignments("c2", [blue]));
  assert.deepEqual([shown(f), f.kinds(), f.client.staleSince], [["blue", "blue"], ["snapshot", "rejected", "delta", "assignments"], null]);
  assert.deepEqual([f.events[2].cause, f.events[2].changes.map((c) => c.path)], ["ramp", ["colour"]]);
  s.say({ type: "ping", cursor: "c2" });
  assert.deepEqual(s.sent.slice(2).map((m) => m.type), ["nack", "ack"]);
});

test("a program that takes its time gets the newest of both, as what came", async (t) => {
  const asked = [];
  const f = follow(t, { ...ada, accept: (s) => new Promise((resolve) => asked.push({ s, resolve })) });
  const answer = async () => {
    asked.shift().resolve();
    await settle();
  };
  const s = await f.open(snapshot("c1", { colour: "green" }), assignments("c1", [green]));
  s.say(colour("c1", "c2", "blue"), assignments("c2", [blue]), assignments("c2", [blue, page]));
  await answer();
  assert.deepEqual(shown(f), ["green", "green"]);
  await answer();
  assert.deepEqual([shown(f), asked.length], [["blue", "blue", "control"], 0]);
  assert.deepEqual(f.kinds(), ["snapshot", "assignments", "delta", "assignments"]);
  assert.deepEqual(s.sent.slice(1), ["c1", "c2"].map((cursor) => ({ type: "ack", cursor })));
  s.say(colour("c2", "c3", "red"), assignments("c3", [blue]), assignments("c3", []));
  await answer();
  await answer();
  assert.deepEqual([shown(f), f.kinds().slice(4)], [["red"], ["delta", "assignments", "assignments"]], "while it was asked");
  assert.deepEqual(s.sent.slice(3), [{ type: "ack", cursor: "c3" }]);
});

test("assignments are kept with the values", async (t) => {
  const cache = { text: null, read: () => cache.text, write: (text) => (cache.text = text) };
  const first = follow(t, { ...ada, cache });
  await first.open(snapshot("c1", { colour: "green" }), assignments("c1", [green, page]));
  await first.client.close();
  const f = follow(t, { ...ada, cache });
  await settle();
  assert.deepEqual([f.client.assignments, shown(f)], [[green, page], ["green", "green", "control"]]);
  assert.ok(Object.isFrozen(f.client.assignments[0]));
  assert.deepEqual(f.kinds(), ["cached", "assignments"]);
  await f.open(colour("c1", "c2", "blue"), assignments("c2", []));
  assert.deepEqual(shown(f), ["blue"]);
  const other = follow(t, { context: { targetingKey: "u2" }, cache });
  await settle();
  assert.deepEqual([other.client.state, other.client.assignments], [null, []]);
});

test("assignments that are none end the connection, and nothing else", async (t) => {
  for (const list of [
    undefined, null, {}, "", 7, [null], [7], ["button"], [[]], [{}], [{ ...green, experiment: "" }], [{ ...green, experiment: 7 }], [{ ...green, variant: undefined }],
    [{ ...green, variant: "x".repeat(129) }], [{ ...green, layer: null }], [{ ...green, phase: 0 }], [{ ...green, phase: 1.5 }], [{ ...green, phase: "1" }],
    [{ ...green, forced: 1 }], [{ ...green, forced: null }], [green, 7], Array(10_001).fill(green),
    JSON.parse('[{"__proto__":{"experiment":"a","variant":"b","phase":1,"layer":"c"}}]'),
  ]) {
    const f = follow(t, ada);
    const s = await f.open(snapshot("c1", { colour: "green" }), assignments("c1", [green]), { type: "assignments", cursor: "c1", assignments: list });
    const what = JSON.stringify(list)?.slice(0, 100);
    assert.equal(s.closed, 1000, what);
    assert.match(f.events.at(-1).error.message, /an assignment is none|its assignments are no list|holds more than 10000 assignments/, what);
    assert.deepEqual(shown(f), ["green", "green"]);
    await f.pass(TIMES.firstRetry * 1.1);
    assert.equal((await f.open()).sent[0].cursor, "c1", what);
    await f.client.close();
  }
  const f = follow(t, ada);
  await f.open(snapshot("c1", {}), '{"type":"assignments","cursor":"c1","assignments":[{"experiment":"a","variant":"b","phase":9007199254740993,"layer":"c"}]}');
  assert.match(f.events.at(-1).error.message, /an assignment is none/);
});

test("of assignments no more is taken than is known", async (t) => {
  const f = follow(t, ada);
  await f.open(snapshot("c1", {}), assignments("c1", [{ ...green, forced: false, more: "x".repeat(1000) }]));
  assert.deepEqual(f.client.assignments, [green]);
});

test("assignments of another state than there is are thrown away, and all of it is asked for anew", async (t) => {
  const before = [snapshot("c1", { colour: "green" }), assignments("c1", [green])];
  const chunks = { type: "snapshot", cursor: "c2", chunks: 2 };
  for (const [says, ...messages] of [
    ["another state than we have", assignments("c1", [green])],
    ["another state than we have", ...before, assignments("c2", [green])],
    ["another state than we have", ...before, colour("c1", "c2", "blue"), assignments("c1", [green])],
    ["another state than we have", ...before, assignments(undefined, [green])],
    ["breaks off", ...before, chunks, assignments("c2", [green])],
    ["breaks off", ...before, chunks, { type: "chunk", cursor: "c2", index: 0, data: "{" }, assignments("c1", [green])],
  ]) {
    const f = follow(t, ada);
    const s = await f.open(...messages);
    assert.equal(s.closed, 1000, says);
    assert.match(f.events.at(-1).error.message, new RegExp(says));
    assert.deepEqual(shown(f), messages.length > 1 ? ["green", "green"] : [undefined]);
    await f.pass(TIMES.firstRetry * 1.1);
    assert.equal((await f.open()).sent[0].cursor, undefined, says);
    await f.client.close();
  }
});

test("what waits for its assignments when the connection ends is taken up by the next", async (t) => {
  const f = follow(t, ada);
  const s = await f.open(snapshot("c1", { colour: "green" }), assignments("c1", [green]));
  s.say(colour("c1", "c2", "blue"));
  s.end(1006);
  await settle();
  assert.deepEqual([shown(f), f.timers.size], [["green", "green"], 1], "the wait for the next connection");
  await f.pass(TIMES.firstRetry * 1.1);
  const next = await f.open({ type: "current", cursor: "c2" }, assignments("c2", [blue]));
  assert.deepEqual([next.sent[0].cursor, shown(f), f.client.staleSince], ["c2", ["blue", "blue"], null]);
});

test("a program may close the client while it is told", async (t) => {
  for (const last of [{ type: "ping", cursor: "c1" }, snapshot("c2", {}), colour("c1", "c2", "blue"), assignments("c1", [green])]) {
    for (const how of ["accept", "onEvent"]) {
      const f = follow(t, { ...ada, [how]: () => void f.client.close() });
      const s = await f.open(snapshot("c1", { colour: "green" }), last);
      await f.pass(TIMES.together);
      assert.deepEqual([s.closed, f.timers.size, f.events.length, f.log], [1000, 0, 0, []], how);
    }
  }
});
