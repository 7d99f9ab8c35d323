// Whatever happens to connections and servers, and in whatever order, the client comes to have what the server has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { equal } from "../../src/json.js";
import { TIMES } from "../../src/limits.js";
import { parsePatterns, select } from "../../src/pattern.js";
import { random } from "../helper/check.js";
import { follow } from "../helper/follow.js";
import { Model, variantOf } from "../helper/model.js";
import { settle } from "../helper/socket.js";

const requests = [[], ["a.**"], ["a.x", "b"], ["*.x.**", "c"], ["**.y"], ["nothing"]];
const contexts = [{}, { targetingKey: "u1" }, { targetingKey: "u2" }];

function draw(r) {
  const member = () => r.pick([1, 2, "x", null, [1], [{ y: 1 }], { x: { y: r.below(3) } }, { x: r.below(3), "z/~": "z" }, {}, 9007199254740993n, { $redacted: true, fp: `${r.below(3)}` }]);
  return Object.fromEntries(["a", "b", "c", "__proto__"].filter(() => r.below(3)).map((key) => [key, member()]));
}

test("it has what the server has", async (t) => {
  const r = random(t);
  for (let round = 0; round < 150; round++) await converge(t, r);
});

async function converge(t, r) {
  const versions = [];
  const model = new Model(r, draw(r));
  versions.push(model.values);
  const cache = { text: null, read: () => cache.text, write: (text) => { cache.text = text; } };
  let patterns = r.pick(requests);
  let context = r.pick(contexts);
  const judges = r.below(2);
  const begin = () => follow(t, { cache, patterns, context, ...(judges && { accept: async () => {} }), log: null });
  let f = begin();
  const asked = [patterns];
  /** No state is shown that no version held, and no assignments that belong to another. */
  const check = () => {
    const { values, assignments } = f.client.state ?? {};
    if (values) assert.ok(versions.some((v) => asked.some((p) => equal(select(v, parsePatterns(p)), values))));
    assert.ok(assignments === undefined || assignments.every((a) => a.variant === variantOf(values)));
  };
  const steps = {
    put() {
      model.put(draw(r));
      versions.push(model.values);
    },
    bring: () => model.live().forEach((s) => s.heard > 0 && model.bring(s)),
    phase: () => void model.phase++,
    tell: () => model.live().forEach((s) => model.tell(s)),
    ping: () => model.live().forEach((s) => s.has && s.socket.say({ type: "ping", cursor: s.has })),
    cut: () => model.live().forEach((s) => model.end(s, 1006)),
    goaway: () => model.live().forEach((s) => model.end(s, 4000, true)),
    restart() {
      model.known.clear();
      steps.cut();
    },
    update() {
      patterns = r.pick(requests);
      asked.push(patterns);
      context = r.pick(contexts);
      f.client.update({ patterns, context });
    },
    async program() {
      await f.client.close();
      f = begin();
    },
    async pass() {
      steps.tell(); // what is late is so by less than the client waits
      await f.pass(r.below(4000));
    },
    serve: () => model.serve(f.made),
  };
  for (let i = 0; i < 40; i++) {
    await steps[r.pick(["put", "put", "bring", "bring", "phase", "tell", "ping", "cut", "goaway", "restart", "update", "program", "pass", "pass", "serve", "serve", "serve"])]();
    await settle();
    check();
  }
  const arrived = () => {
    const { values } = model.view(patterns);
    return f.client.staleSince === null && equal(f.client.state.values, values) && equal(f.client.assignments, model.assignments(context, values)) &&
      model.live().some((s) => equal([s.patterns, s.context], [patterns, context]));
  };
  for (let i = 0; i < 100 && !arrived(); i++) {
    await steps.pass();
    model.serve(f.made);
    steps.bring();
    await settle();
    check();
  }
  assert.ok(arrived());
  await f.pass(TIMES.together);
  const session = model.live()[0];
  model.serve(f.made);
  await settle();
  assert.deepEqual(session.socket.sent.at(-1), { type: "ack", cursor: session.has });
  await f.client.close();
}
