// Whatever a server says, and however a program fails, the client is whole.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TIMES } from "../../src/limits.js";
import { random } from "../helper/check.js";
import { follow } from "../helper/follow.js";
import { settle } from "../helper/socket.js";

/** Draws messages that are nearly those of the protocol. */
function speaker(r) {
  const any = () => r.pick([null, true, 0, -1, 1.5, 9007199254740993, "", "c1", "__proto__", "x".repeat(200), [], {}, [null], [{}], { a: 1 }, { $redacted: true, fp: "x" }]);
  const cursor = () => r.pick(["c1", "c2", any()]);
  const patch = () => [{ op: r.pick(["add", "remove", any()]), path: r.pick(["/a", "/__proto__", "", any()]), value: any() }];
  const assignment = () => ({ experiment: r.pick(["a", any()]), variant: "v", phase: r.pick([1, 2, any()]), layer: "l", ...(r.below(3) === 0 && { forced: any() }) });
  const kinds = [
    () => ({ type: "snapshot", cursor: cursor(), values: r.pick([{ a: 1 }, { a: {} }, any()]) }),
    () => ({ type: "snapshot", cursor: cursor(), chunks: r.pick([1, 2, any()]) }),
    () => ({ type: "chunk", cursor: cursor(), index: r.pick([0, 1, any()]), data: r.pick(["{", "}", "{}", any()]) }),
    () => ({ type: "current", cursor: cursor() }),
    () => ({ type: "delta", from: cursor(), to: cursor(), patch: r.pick([[], patch(), any()]) }),
    () => ({ type: "assignments", cursor: cursor(), assignments: r.pick([[], [assignment()], any()]) }),
    () => ({ type: r.pick(["ping", "goaway", "error", any()]), cursor: cursor(), retryAfterMs: any(), code: any() }),
  ];
  return () => {
    const text = JSON.stringify({ ...r.pick(kinds)(), ...(r.below(10) === 0 && { [r.pick(["type", "cursor", "values", "__proto__"])]: any() }) });
    return r.below(30) === 0 ? text.slice(0, r.below(text.length)) : text;
  };
}

test("it takes nothing that it does not understand, and goes on", async (t) => {
  const r = random(t);
  const say = speaker(r);
  const fails = () => { if (r.below(4) === 0) throw r.pick([new Error("no"), null, Object.create(null)]); };
  for (let round = 0; round < 100; round++) {
    const cache = { text: null, read: () => cache.text, write: async (text) => (fails(), (cache.text = text)) };
    const f = follow(t, { cache, context: r.pick([{}, { targetingKey: "u1" }]), ...r.pick([{}, { accept: fails }, { accept: async () => fails() }]) });
    f.client.watch("**", fails);
    for (let i = 0; i < 40; i++) {
      await settle();
      const s = f.socket;
      if (!s || s.closed !== undefined) await f.pass(1000);
      else if (!s.protocol) s.open();
      else s.say(say());
      if (r.below(4) === 0) await f.pass(TIMES.together);
      if (r.below(8) === 0) f.client.update({ context: r.pick([{}, { targetingKey: "u2" }]) });
      const { state } = f.client;
      assert.ok(state === null || [state, state.values, state.assignments, ...state.assignments].every(Object.isFrozen));
      assert.deepEqual([{}.a, {}.type, {}.experiment], [undefined, undefined, undefined]);
    }
    assert.deepEqual(f.events.filter((e) => e.error?.cause instanceof TypeError), []);
    await f.client.close();
    assert.equal(f.timers.size, 0);
  }
});
