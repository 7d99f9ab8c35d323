// What a program accepts, and what it does not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { brief } from "../../src/accept.js";
import { TIMES } from "../../src/limits.js";
import { follow } from "../helper/follow.js";
import { random } from "../helper/check.js";
import { delta, settle, snapshot } from "../helper/socket.js";

const to = (n) => delta(`c${n - 1}`, `c${n}`, [{ op: "replace", path: "/n", value: n }]);
const positive = (s) => {
  if (s.int("n", 0) < 0) throw new Error("n cannot be negative");
};

test("what a program does not accept is not read, and the server is told why", async (t) => {
  const f = follow(t, { accept: positive });
  const s = await f.open(snapshot("c1", { n: 1, m: 1 }));
  s.say(delta("c1", "c2", [{ op: "replace", path: "/n", value: -1 }]));
  assert.deepEqual(s.sent.at(-1), { type: "nack", cursor: "c2", reason: "n cannot be negative" });
  assert.deepEqual([f.client.get("n", 0), f.client.state.cursor], [1, "c1"]);
  assert.ok(f.client.staleSince);
  assert.equal(f.events.at(-1).kind, "rejected");
  assert.equal(f.events.at(-1).state.cursor, "c2");
  assert.equal(f.events.at(-1).error.code, "rejected");
  s.say({ type: "ping", cursor: "c2" });
  assert.equal(s.sent.at(-1).type, "nack", "a ping is answered with what stands");
  s.say(delta("c2", "c3", [{ op: "replace", path: "/m", value: 2 }]));
  assert.equal(s.sent.at(-1).type, "nack");
  s.say(delta("c3", "c4", [{ op: "replace", path: "/n", value: 5 }]));
  assert.deepEqual(s.sent.at(-1), { type: "ack", cursor: "c4" });
  assert.deepEqual([f.client.get("n", 0), f.client.get("m", 0), f.client.staleSince], [5, 2, null]);
});

test("the same is asked of again after a new connection", async (t) => {
  let asked = 0;
  const f = follow(t, { accept: () => { if (++asked === 2) throw new Error("not now"); } });
  (await f.open(snapshot("c1", { n: 1 }), to(2))).end(4000);
  await f.pass(TIMES.firstRetry * 1.1);
  const s = await f.open({ type: "current", cursor: "c2" });
  assert.equal(s.sent[0].cursor, "c2");
  assert.equal(asked, 3);
  assert.deepEqual([f.client.get("n", 0), s.sent.at(-1)], [2, { type: "ack", cursor: "c2" }]);
  s.say({ type: "current", cursor: "c2" });
  assert.equal(asked, 3, "what was accepted is not asked of again");
});

test("nothing is there before the program accepts something", async (t) => {
  const f = follow(t, { accept: positive });
  const s = await f.open(snapshot("c0", { n: -1 }));
  assert.deepEqual([f.client.state, f.ready.state, f.client.get("n", 7)], [null, "waiting", 7]);
  s.say(to(1));
  await settle();
  assert.equal(f.ready.state, "ready");
});

test("a program that takes its time gets the newest when it is done", async (t) => {
  const asked = [];
  const f = follow(t, { accept: (s) => new Promise((resolve, reject) => asked.push({ cursor: s.cursor, resolve, reject })) });
  const s = await f.open(snapshot("c0", { n: 0 }), to(1), to(2), { type: "ping", cursor: "c2" });
  assert.deepEqual(asked.map((a) => a.cursor), ["c0"]);
  assert.deepEqual([s.sent.length, f.client.state], [1, null]);
  asked[0].resolve();
  await settle();
  assert.deepEqual([asked.length, asked[1].cursor, f.client.get("n", 7)], [2, "c2", 0]);
  s.say({ type: "ping", cursor: "c2" });
  assert.deepEqual(s.sent.slice(1), [{ type: "ack", cursor: "c0" }, { type: "ack", cursor: "c0" }], "meanwhile the client is there for the server");
  assert.ok(f.client.staleSince);
  asked[1].reject(new Error("no"));
  await settle();
  assert.deepEqual(s.sent.at(-1), { type: "nack", cursor: "c2", reason: "no" });
  assert.equal(f.client.get("n", 7), 0);
  s.say(to(3));
  asked[2].resolve();
  await settle();
  assert.deepEqual([f.client.get("n", 7), f.client.staleSince, s.sent.at(-1)], [3, null, { type: "ack", cursor: "c3" }]);
});

test("what was judged when the connection broke off is served, and the new one answers for itself", async (t) => {
  const asked = [];
  const f = follow(t, { accept: () => new Promise((resolve) => asked.push(resolve)) });
  (await f.open(snapshot("c1", { n: 1 }))).end(4000);
  await f.pass(TIMES.firstRetry * 1.1);
  const s = await f.open();
  assert.equal(s.sent[0].cursor, "c1");
  asked[0]();
  await settle();
  assert.deepEqual([f.client.get("n", 0), s.sent.length], [1, 1]);
  assert.ok(f.client.staleSince, "the new connection has not said yet what is live");
  s.say({ type: "current", cursor: "c1" });
  assert.deepEqual([f.client.staleSince, s.sent.at(-1)], [null, { type: "ack", cursor: "c1" }]);
});

test("what a program says after it has closed the client does not matter", async (t) => {
  let answer;
  const slow = follow(t, { accept: () => new Promise((resolve) => (answer = resolve)) });
  await slow.open(snapshot("c1", { n: 1 }), to(2));
  await slow.client.close();
  answer();
  await settle();
  assert.deepEqual([slow.client.state, slow.kinds()], [null, []]);
  let asked = 0;
  const busy = follow(t, { accept: async () => void asked++, onEvent: () => void busy.client.close() });
  await busy.open(snapshot("c1", { n: 1 }), to(2));
  assert.equal(asked, 1, "it is not asked any more");
  const own = follow(t, { accept: () => own.client.close() && undefined });
  await own.open(snapshot("c1", { n: 1 }));
  assert.deepEqual([own.client.state, own.kinds()], [null, []]);
});

test("whatever is thrown becomes a reason that can be sent", async (t) => {
  const thrown = ["text", undefined, null, { message: "an object" }, Object.create(null), new Error("é".repeat(1000)), new Error("half \ud800 of a character")];
  const f = follow(t, { accept: () => { throw thrown[0]; } });
  const s = await f.open(snapshot("c0", { n: 0 }));
  for (let n = 1; thrown.length > 1; n++) {
    thrown.shift();
    s.say(to(n));
  }
  const reasons = s.sent.slice(1).map((m) => m.reason);
  assert.deepEqual(reasons.slice(0, 5), ["text", "undefined", "null", "an object", "something that has no words"]);
  assert.equal(reasons[5], `${"é".repeat(510)}…`);
  assert.equal(reasons[6], "half \ufffd of a character");
  assert.equal(brief("𝄞".repeat(300)), `${"𝄞".repeat(255)}…`);
  assert.equal(brief("x".repeat(1024)), "x".repeat(1024));
});

test("however a program judges, what it reads is the newest that it accepted", async (t) => {
  const r = random(t);
  for (let round = 0; round < 50; round++) {
    let open = [];
    let newest = null;
    const verdict = (s, bad) => {
      if (bad) throw new Error("no");
      newest = s.cursor;
    };
    const f = follow(t, {
      accept: (s) => {
        const bad = r.below(3) === 0;
        if (r.below(2)) return verdict(s, bad);
        return new Promise((resolve) => open.push(resolve)).then(() => verdict(s, bad));
      },
    });
    const s = await f.open(snapshot("c0", { n: 0 }));
    const judge = async () => {
      const some = open;
      open = [];
      some.forEach((resolve) => resolve());
      await settle();
    };
    for (let n = 1; n < 30; n++) {
      s.say(to(n));
      if (r.below(4) === 0) await judge();
      if (open.length === 0) assert.equal(f.client.state?.cursor ?? null, newest);
    }
    while (open.length > 0) await judge();
    assert.equal(f.client.state?.cursor ?? null, newest);
    assert.equal(s.sent.at(-1).cursor, "c29");
    assert.equal(s.sent.at(-1).type === "ack", newest === "c29");
    assert.equal(f.client.staleSince === null, newest === "c29");
    await f.client.close();
  }
});
