// The client against the real server.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WebSocket as PackageWs } from "ws";
import { connect, isRedacted, open } from "../../src/index.js";
import { equal } from "../../src/json.js";
import { fileCache } from "../../src/node.js";
import { parsePatterns, select } from "../../src/pattern.js";
import { random } from "../helper/check.js";
import { World, eventually } from "../helper/server.js";

const run = promisify(execFile);
const limit = { timeout: 120_000 };
const shop = {
  "trunkline.yaml": 'version: 1\nenvironments: {prod: {}, staging: {}}\nsensitive: ["**.dsn"]\n',
  "config/checkout.yaml": "timeout: 90s\nretries: 3\nratio: 1.5\nid: 9007199254740993\nregions: [eu, us]\n",
  "config/database.yaml": 'primary: {dsn: "host=db1", pool: {max: 80}}\n',
  "environments/staging/checkout.yaml": "retries: 9\n",
};

/** A client that ends with the test, and what happens to it. */
async function following(t, w, options = {}) {
  const events = [];
  const client = await connect({ url: w.url, env: "prod", log: null, signal: AbortSignal.timeout(30_000), onEvent: (e) => events.push(e), ...options });
  t.after(() => client.close());
  return { client, events };
}

const at = (client, path, want) => eventually(`${path} is ${want}`, () => equal(client.get(path), want) || JSON.stringify(client.get(path), (_, v) => String(v)));

const websockets = { "the package ws": PackageWs, ...(globalThis.WebSocket && { "the platform": globalThis.WebSocket }) };

for (const [name, WebSocket] of Object.entries(websockets)) {
  test(`a push reaches a client that uses the WebSocket of ${name}`, limit, async (t) => {
    const w = await World.begin(t, shop);
    const { client, events } = await following(t, w, { WebSocket, patterns: ["checkout.**", "database.**"], client: { name: "test", version: "1" } });
    assert.deepEqual([client.duration("checkout.timeout", 0), client.int("checkout.retries", 0), client.get("checkout.ratio", 0)], [90_000, 3, 1.5]);
    assert.equal(client.get("checkout.id", 0n), 9007199254740993n);
    assert.deepEqual(client.get("checkout.regions", []), ["eu", "us"]);
    assert.ok(isRedacted(client.get("database.primary.dsn")));
    assert.equal(client.get("database.primary.dsn", "none"), "none");
    assert.equal(client.staleSince, null);
    const seen = [];
    client.watch("checkout.retries", (u) => seen.push(u.values.checkout.retries));
    const commit = await w.push({ "config/checkout.yaml": "timeout: 20s\nretries: 4\nid: -9223372036854775808\n" }, "Give up sooner");
    await at(client, "checkout.retries", 4);
    assert.deepEqual([client.state.commit, client.state.subject, client.state.author], [commit, "Give up sooner", "Ada"]);
    assert.equal(client.get("checkout.id", 0n), -9223372036854775808n);
    assert.deepEqual(events.at(-1).changes.map((c) => c.path), ["checkout.id", "checkout.ratio", "checkout.regions", "checkout.retries", "checkout.timeout"]);
    assert.equal(events.at(-1).cause, "commit");
    await w.push({ "config/checkout.yaml": "timeout: [\n" }, "Break it");
    await w.push({ "config/checkout.yaml": "retries: 5\n" }, "Mend it");
    await at(client, "checkout.retries", 5);
    assert.deepEqual(seen, [3, 4, 5]);
    assert.ok(equal(client.state.values.checkout, await w.values("checkout?env=prod")));
  });

  test(`a program ends by itself after close, with the WebSocket of ${name}`, limit, async (t) => {
    const w = await World.begin(t, shop);
    const program = `
      import { connect } from "@trunkline/client";
      import * as ws from "ws";
      const client = await connect({ url: "${w.url}", env: "prod"${name === "the platform" ? "" : ", WebSocket: ws.WebSocket"} });
      client.update({ patterns: ["checkout.**"] });
      await client.close();
      console.log(client.get("checkout.retries"));`;
    const { stdout } = await run(process.execPath, [...process.execArgv.filter((flag) => flag === "--experimental-websocket"), "--no-warnings", "--input-type=module", "--eval", program], {
      cwd: fileURLToPath(new URL("../../", import.meta.url)), timeout: 40_000, // less than any connection may be silent
    });
    assert.equal(stdout, "3\n");
  });

  test(`a restart is outlived with the WebSocket of ${name}`, limit, async (t) => {
    const w = await World.begin(t, shop);
    const { client, events } = await following(t, w, { WebSocket });
    await w.stop("SIGTERM");
    const away = await eventually("goaway is heard", () => events.find((e) => e.kind === "disconnected"));
    assert.equal(away.error.code, "goaway");
    assert.ok(away.retry >= 200 && away.retry <= 5500, String(away.retry));
    assert.ok(client.staleSince);
    assert.equal(client.get("checkout.retries", 0), 3, "what there is stays");
    w.commit({ "config/checkout.yaml": "retries: 6\n" }, "While nobody looks");
    await w.serve();
    await at(client, "checkout.retries", 6);
    await eventually("it is fresh", () => client.staleSince === null);
    await w.restart("SIGKILL");
    await eventually("it is connected again", () => events.filter((e) => e.kind === "disconnected").length >= 2 && client.staleSince === null);
    assert.equal(client.get("checkout.retries", 0), 6);
  });
}

test("the server knows what a program made of it", limit, async (t) => {
  const w = await World.begin(t, shop);
  const accept = (s) => {
    if (s.int("checkout.retries", 0) > 10) throw new Error("more than ten retries");
  };
  const { client, events } = await following(t, w, { accept, client: { name: "judge", version: "2" } });
  const answers = async (type) => Number(new RegExp(`trunkline_client_messages_total{type="${type}"} (\\d+)`).exec(await w.ask("GET", "/metrics"))?.[1] ?? 0);
  await w.push({ "config/checkout.yaml": "retries: 11\n" });
  await eventually("it is rejected", () => events.some((e) => e.kind === "rejected"));
  assert.equal(client.get("checkout.retries", 0), 3);
  assert.ok(client.staleSince);
  await eventually("the server knows", async () => (await answers("nack")) === 1);
  await w.push({ "config/checkout.yaml": "retries: 10\n" });
  await at(client, "checkout.retries", 10);
  assert.equal(client.staleSince, null);
  await eventually("the server knows", async () => (await answers("ack")) === 2);
});

test("what is asked for changes on the connection that there is", limit, async (t) => {
  const w = await World.begin(t, shop);
  const { client, events } = await following(t, w, { patterns: ["checkout.retries"] });
  assert.deepEqual(client.state.values, { checkout: { retries: 3 } });
  client.update({ patterns: ["database.**"], context: { targetingKey: "u1" } });
  await at(client, "database.primary.pool.max", 80);
  assert.equal(events.at(-1).kind, "snapshot");
  assert.equal(client.get("checkout"), undefined);
  client.update({ patterns: [] });
  await eventually("everything is there", async () => equal(client.state.values, await w.values("?env=prod")));
  assert.ok(events.every((e) => e.kind !== "disconnected"));
});

const experiment = (variants, more = "") => `environments: [prod]
status: running
layer: checkout
salt: 8f3a1c90d2b7
phase: 1
traffic: 100%
variants: {control: {weight: 50%}, ${variants}: {weight: 50%, set: {checkout.retries: 7}}}
metrics: {primary: [purchase-rate]}
plan: {unitsTotal: 120000, minimumEffect: {relative: 10%}, alpha: 0.05, power: 0.8, minRuntime: 7d, onInconclusive: rollback}
${more}`;
const trial = {
  "layers/checkout.yaml": "unit: targetingKey\nsalt: 5d1f7a26c3e8\n",
  "metrics/purchase-rate.yaml": "name: Purchase rate\nkind: proportion\nevent: purchase\n",
  "experiments/patience.yaml": experiment("patient", "force: {ada: patient, bo: control}\n"),
  "rollouts/slow.yaml": "environments: [prod]\nrules: [{name: staff, when: context.staff}]\nset: {checkout.timeout: 120s}\n",
};

test("who asks decides which values it has, and which variants it is told", limit, async (t) => {
  const w = await World.begin(t, { ...shop, ...trial });
  const times = { together: 60_000 }; // however slow the machine is
  const { client, events } = await following(t, w, { context: { targetingKey: "ada" }, times });
  const patient = { experiment: "patience", variant: "patient", phase: 1, layer: "checkout", forced: true };
  assert.deepEqual([client.int("checkout.retries", 0), client.assignments], [7, [patient]], "they are there together, from the beginning");
  const seen = [];
  client.watch("checkout.retries", ({ state }) => seen.push([state.int("checkout.retries", 0), ...state.assignments.map((a) => a.variant)]));
  client.update({ context: { targetingKey: "bo", staff: true } });
  await at(client, "checkout.retries", 3);
  assert.deepEqual([client.assignments.map((a) => a.variant), client.get("checkout.timeout")], [["control"], "120s"]);
  assert.equal(events.findLast((e) => e.kind === "delta").cause, "context");
  await w.push({ "experiments/patience.yaml": experiment("patient") }, "Force nobody");
  await eventually("bo is as anybody", () => client.assignments.length === 1 && client.assignments[0].forced === undefined);
  const both = { patient: 7, control: 3 };
  assert.equal(client.int("checkout.retries", 0), both[client.assignments[0].variant]);
  client.update({ context: {} });
  await eventually("nobody in particular is in nothing", () => client.assignments.length === 0 && client.get("checkout.timeout") === "90s");
  assert.equal(client.int("checkout.retries", 0), 3);
  await eventually("it is told", () => seen.length >= 2);
  assert.ok(seen.every(([retries, variant = "control"]) => retries === both[variant]), JSON.stringify(seen));
  assert.ok(events.every((e) => e.kind !== "disconnected"));
});

test("what is large comes in chunks", limit, async (t) => {
  const w = await World.begin(t, shop);
  const { client, events } = await following(t, w);
  const large = Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`key${i}`, { name: `Grün "${i}" 𝄞`, n: i }]));
  await w.push({ "config/large.json": large });
  await at(client, "large.key14999.n", 14999);
  assert.deepEqual(events.map((e) => e.kind), ["snapshot", "snapshot"], "a patch as large is none");
  assert.ok(equal(client.state.values, await w.values("?env=prod")));
  assert.ok(events.every((e) => e.kind !== "disconnected"));
  await w.push({ "config/large.json": { ...large, key7: { n: 0 } } });
  await at(client, "large.key7", { n: 0 });
  assert.equal(events.at(-1).kind, "delta");
});

test("who is refused is told why", limit, async (t) => {
  const w = await World.begin(t, shop, "--credentials-only");
  const refused = async (options, code, message) => {
    const error = await connect({ url: w.url, env: "prod", log: null, signal: AbortSignal.timeout(30_000), ...options }).then(() => null, (e) => e);
    assert.deepEqual([error?.code, error?.terminal], [code, true], String(error));
    assert.match(error.message, message);
  };
  const { token } = await w.token("reader", { environments: ["prod"], patterns: ["checkout.**"] });
  await refused({}, "credentialMissing", /credential/);
  await refused({ token: `${token.slice(0, -7)}xxxxxxx` }, "credentialMalformed", /the credential is not whole/);
  await refused({ ticket: () => token }, "badTicket", /begins with tlt_/);
  await refused({ token, env: "staging" }, "unknownEnvironment", /no such environment is served; name one of prod/);
  const { client } = await following(t, w, { token });
  assert.deepEqual(Object.keys(client.state.values), ["checkout"]);
});

test("a token is used before each connection, and its end is felt", limit, async (t) => {
  const w = await World.begin(t, shop, "--credentials-only");
  const grant = { environments: ["prod"], patterns: ["checkout.**"] };
  const made = [await w.token("reader", grant), await w.token("reader", { ...grant, patterns: ["checkout.retries"] })];
  let current = 0;
  const { client, events } = await following(t, w, { token: async () => made[current].token });
  await w.restart("SIGKILL");
  await eventually("it is connected again", () => events.some((e) => e.kind === "disconnected") && client.staleSince === null);
  await w.revoke(made[0].id);
  const ended = await eventually("the credential's end is felt", () => events.findLast((e) => e.kind === "disconnected" && e.error.code === "goaway"));
  assert.ok(ended.retry >= 200);
  const refused = await eventually("the old token is refused", () => events.find((e) => e.error?.code === "tokenUnknown"));
  assert.equal(refused.kind, "disconnected", "the next token may come");
  current = 1;
  await eventually("the new token's values are there", () => equal(client.state.values, { checkout: { retries: 3 } }));
  assert.equal(client.error, null);
});

test("a program's own ticket serves", limit, async (t) => {
  const w = await World.begin(t, shop, "--credentials-only");
  const { token } = await w.token("reader", { environments: ["prod"], patterns: ["**"] });
  let fetched = 0;
  const ticket = async () => {
    fetched++;
    const answer = await fetch(`${w.base}/v1/tickets`, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    return (await answer.json()).ticket;
  };
  const { client, events } = await following(t, w, { ticket });
  w.relay.cut();
  await eventually("it is connected again", () => events.some((e) => e.kind === "current") && client.staleSince === null);
  assert.equal(fetched, 2);
});

test("a program starts from its cache without a server", limit, async (t) => {
  const w = await World.begin(t, shop);
  const dir = mkdtempSync(join(tmpdir(), "trunkline-js-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const cache = fileCache(join(dir, "kept"));
  const first = await following(t, w, { cache });
  await first.client.close();
  await w.stop();
  const { client, events } = await following(t, w, { cache });
  assert.ok(equal(client.state.values, first.client.state.values));
  assert.ok(client.staleSince);
  await w.serve();
  await eventually("it is fresh", () => client.staleSince === null);
  assert.equal(events.at(-1).kind, "current");
});

test("a program begins without waiting", limit, async (t) => {
  const w = await World.begin(t, shop);
  const client = open({ url: w.url, env: "prod", log: null });
  t.after(() => client.close());
  assert.equal(client.int("checkout.retries", 7), 7);
  await client.ready;
  assert.equal(client.int("checkout.retries", 7), 3);
});

test("whatever happens, it comes to have what the server has", { timeout: 300_000 }, async (t) => {
  const r = random(t);
  const draw = () => ({ "config/a.json": { x: r.below(3), y: r.pick([null, [1, { z: r.below(2) }], 2.5, { deep: { n: r.below(3) } }]) }, "config/b.json": r.pick([{}, { x: 1 }, { "odd/~.key": "é" }]) });
  const w = await World.begin(t, { ...draw(), "config/c.yaml": "id: 9223372036854775807\n" });
  const requests = [[], ["a.**"], ["a.x", "b"], ["*.x", "c.id"], ["**.n"]];
  const constructors = Object.values(websockets);
  const clients = await Promise.all(Array.from({ length: 6 }, (_, i) => {
    const patterns = r.pick(requests);
    return following(t, w, { env: "", patterns, WebSocket: constructors[i % constructors.length], ...(i % 2 && { accept: async () => {} }) }).then((f) => ({ ...f, patterns }));
  }));
  const steps = {
    push: () => w.push(draw()),
    cut: () => w.relay.cut(),
    restart: () => w.restart("SIGTERM"),
    kill: () => w.restart("SIGKILL"),
    update: () => clients.forEach((c) => {
      c.patterns = r.pick(requests);
      c.client.update({ patterns: c.patterns });
    }),
  };
  for (let i = 0; i < 24; i++) await steps[r.pick(["push", "push", "push", "cut", "cut", "update", "restart", "kill"])]();
  const commit = await w.push({ "config/d.json": { last: r.below(1000) } });
  await eventually("the last commit is judged", async () => (await w.status()).judged === commit);
  const live = await w.values();
  for (const { client, patterns } of clients) {
    const want = select(live, parsePatterns(patterns));
    await eventually(`${patterns} has what is live`, () => (client.staleSince === null && equal(client.state.values, want)) || JSON.stringify([client.staleSince, client.state.values], (_, v) => (typeof v === "bigint" ? String(v) : v)));
  }
});
