// OpenFeature's own clients for JavaScript, against the real server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature as server } from "@openfeature/server-sdk";
import { OpenFeature as web } from "@openfeature/web-sdk";
import { eventually, World } from "../../../../client/js/test/helper/server.js";

globalThis.EventSource = EventSource; // which browsers have

const files = {
  "trunkline.yaml": "version: 1\nenvironments: {prod: {}, staging: {}}\nflags: [shop.**]\n",
  "config/shop.yaml": "button: {color: blue, size: 2}\nnewRanking: false\ntimeout: 20\nratio: 0.5\n",
  "config/hidden.yaml": "value: 1\n",
  "rollouts/ranking.yaml":
    "environments: [prod]\nunit: targetingKey\nsalt: ranking1\nset: {shop.newRanking: true}\nrules:\n" +
    "  - {name: german, when: 'context.country == \"DE\"'}\n  - {name: half, when: 'context.country == \"FR\"', percentage: 50%}\n",
  "layers/shop.yaml": "unit: targetingKey\nsalt: layer1\n",
  "metrics/purchase.yaml": "name: Purchase\nkind: proportion\nevent: purchase\n",
  "experiments/button.yaml":
    "environments: [prod]\nstatus: running\nlayer: shop\nsalt: button1\nphase: 1\ntraffic: 100%\n" +
    "variants: {control: {weight: 50%}, green: {weight: 50%, set: {shop.button.color: green}}}\nforce: {qa: green}\nmetrics: {primary: [purchase]}\n" +
    "plan: {unitsTotal: 1000, minimumEffect: {relative: 10%}, alpha: 0.05, power: 0.8, minRuntime: 7d, onInconclusive: rollback}\n",
};

const grant = { environments: ["prod"], patterns: ["shop.**"] };
const headersOf = (token) => [["Authorization", `Bearer ${token}`]];

/** The web client, which fetches all flags at once and listens. Its events are noted. */
async function follow(t, w, token, context, options = {}) {
  await web.setContext(context);
  const provider = new OFREPWebProvider({ baseUrl: `${w.base}/env/prod`, headers: headersOf(token), cacheMode: "disabled", ...options });
  const events = [];
  provider.events.addHandler("PROVIDER_CONFIGURATION_CHANGED", (e) => events.push(e.flagsChanged));
  await web.setProviderAndWait(provider);
  t.after(() => web.close());
  return { client: web.getClient(), events, provider };
}

test("the server SDK evaluates one flag at a time", async (t) => {
  const w = await World.begin(t, files);
  const { token } = await w.token("server", grant);
  await server.setProviderAndWait(new OFREPProvider({ baseUrl: `${w.base}/env/prod`, headers: headersOf(token) }));
  t.after(() => server.close());
  const c = server.getClient();
  const of = (key, otherwise, context) => c[`get${{ boolean: "Boolean", number: "Number", object: "Object", string: "String" }[typeof otherwise]}Details`](key, otherwise, context);

  const color = await of("shop.button.color", "none", { targetingKey: "qa" });
  assert.deepEqual([color.value, color.variant, color.reason, color.flagMetadata.experiment], ["green", "green", "TARGETING_MATCH", "button"]);
  const ranking = await of("shop.newRanking", false, { targetingKey: "u1", country: "DE" });
  assert.deepEqual([ranking.value, ranking.reason, ranking.flagMetadata.rule], [true, "TARGETING_MATCH", "german"]);
  assert.equal((await of("shop.timeout", 1, {})).value, 20);
  assert.equal((await of("shop.timeout", 1, {})).reason, "STATIC");
  assert.equal((await of("shop%2Fratio", 1, {})).value, 0.5); // this client does not escape keys
  assert.deepEqual((await of("shop.button", {}, { targetingKey: "qa" })).value, { color: "green", size: 2 });
  for (const [key, otherwise, context, code] of [
    ["shop.none", 1, {}, "FLAG_NOT_FOUND"], ["hidden.value", 1, {}, "FLAG_NOT_FOUND"], ["shop.newRanking", false, { country: "FR" }, "TARGETING_KEY_MISSING"],
    ["shop.timeout", "a text", {}, "TYPE_MISMATCH"],
  ]) {
    const got = await of(key, otherwise, context);
    assert.deepEqual([got.errorCode, got.value], [code, otherwise], key);
  }
});

test("the web SDK lists flags, and follows commits, stops and contexts by events", async (t) => {
  const w = await World.begin(t, files);
  const { token } = await w.token("web", { ...grant, patterns: ["shop.**"] });
  const { client, events, provider } = await follow(t, w, token, { targetingKey: "qa", country: "DE" });
  const listed = Object.keys(provider.flagCache).sort();
  assert.deepEqual(listed, ["shop.button.color", "shop.button.size", "shop.newRanking", "shop.ratio", "shop.timeout"]);
  assert.equal(client.getStringValue("shop.button.color", "none"), "green");
  assert.equal(client.getBooleanDetails("shop.newRanking", false).flagMetadata.rollout, "ranking");

  await eventually("the stream is open", async () => /trunkline_flag_streams 1/.test(await w.ask("GET", "/metrics")));
  await w.push({ "config/hidden.yaml": "value: 2\n" }, "Hidden");
  await w.push({ "config/shop.yaml": files["config/shop.yaml"].replace("20", "21") }, "Slower");
  await eventually("the commit is followed", () => client.getNumberValue("shop.timeout", 1) === 21);
  assert.deepEqual(events, [["shop.timeout"]]); // and nothing for what is hidden

  await w.ask("POST", "/v1/stops", JSON.stringify({ environment: "prod", key: "button", reason: "a test" }), { "Content-Type": "application/json" });
  await eventually("the stop is followed", () => client.getStringValue("shop.button.color", "none") === "blue");
  assert.equal(client.getStringDetails("shop.button.color", "none").flagMetadata.inEffect, false);

  await web.setContext({ targetingKey: "qa", country: "IT" });
  assert.equal(client.getBooleanValue("shop.newRanking", true), false);
  await web.setContext({ country: "FR" });
  assert.equal(client.getBooleanDetails("shop.newRanking", true).errorCode, "TARGETING_KEY_MISSING");
});

test("the web SDK finds its way back after a restart of the server, though nothing has changed", async (t) => {
  const w = await World.begin(t, files);
  const { token } = await w.token("web", grant);
  const { client } = await follow(t, w, token, { targetingKey: "u1", country: "DE" });
  const open = async () => /trunkline_flag_streams [1-9]/.test(await w.ask("GET", "/metrics"));
  await eventually("the stream is open", open);
  await w.restart();
  await eventually("the stream is open again", open);
  await w.push({ "config/shop.yaml": files["config/shop.yaml"].replace("20", "22") }, "Slower");
  await eventually("commits are followed again", () => client.getNumberValue("shop.timeout", 1) === 22);
});

test("the web SDK polls, and is told when nothing has changed", async (t) => {
  const w = await World.begin(t, files);
  const { token } = await w.token("web", grant);
  const statuses = [];
  const fetchImplementation = async (...request) => {
    const answer = await fetch(...request);
    statuses.push(answer.status);
    return answer;
  };
  const { client } = await follow(t, w, token, { targetingKey: "u1" }, { changeDetection: "polling", pollInterval: 50, fetchImplementation });
  await eventually("it is told that nothing has changed", () => statuses.filter((s) => s === 304).length > 2);
  assert.deepEqual([...new Set(statuses)], [200, 304]);
  await w.push({ "config/shop.yaml": files["config/shop.yaml"].replace("20", "23") }, "Slower");
  await eventually("the commit is followed", () => client.getNumberValue("shop.timeout", 1) === 23);
});
