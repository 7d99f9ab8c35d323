// The client in a page of a real browser, against the real server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Chrome, serveModules } from "../helper/chrome.js";
import { World, eventually } from "../helper/server.js";

const limit = { timeout: 180_000 };
const shop = {
  "trunkline.yaml": "version: 1\nenvironments: {prod: {}}\npublic: [ui.**]\n",
  "config/checkout.yaml": "timeout: 90s\nretries: 3\nid: 9007199254740993\n",
  "config/ui.yaml": "color: green\n",
};

/** A page that has begun to follow, as page.client, and notes what happens, as page.events. */
async function page(t, w, origin, options = {}, chrome = Chrome.launch(t)) {
  const tab = await chrome.open(`${origin}/`);
  t.after(() => assert.deepEqual(tab.complaints, []));
  await begin(tab, w, options);
  return tab;
}

function begin(tab, w, options) {
  return tab.call(
    async (options) => {
      const { connect, localStorageCache } = await import("/src/index.js");
      const events = [];
      globalThis.page = { events };
      const cache = options.cached ? localStorageCache("config") : undefined;
      const onEvent = ({ kind, error, retry }) => events.push({ kind, code: error?.code, retry });
      page.client = await connect({ ...options, cache, onEvent, signal: AbortSignal.timeout(30_000) }).catch((error) => (page.error = { code: error.code, message: error.message, terminal: error.terminal }, null));
    },
    { url: w.url, env: "prod", ...options },
  );
}

const reads = (tab, path) => tab.call((path) => page.client.get(path), path);
const events = (tab) => tab.call(() => page.events);
const fresh = (tab) => tab.call(() => page.client.staleSince === null);

test("a page follows", limit, async (t) => {
  const [w, origin] = await Promise.all([World.begin(t, shop), serveModules(t)]);
  const tab = await page(t, w, origin, { patterns: ["checkout.**"], cached: true });
  assert.deepEqual(await tab.call(() => [page.client.duration("checkout.timeout", 0), page.client.int("checkout.retries", 0), String(page.client.get("checkout.id", 0n))]), [90_000, 3, "9007199254740993"]);
  await tab.call(() => {
    page.seen = [];
    page.client.watch("checkout.retries", (u) => page.seen.push(u.values.checkout.retries));
  });
  await w.push({ "config/checkout.yaml": "retries: 4\n" });
  await eventually("the push is there", async () => (await reads(tab, "checkout.retries")) === 4);
  assert.deepEqual(await tab.call(() => page.seen), [3, 4]);

  await w.stop("SIGTERM");
  await eventually("goaway is heard", async () => (await events(tab)).some((e) => e.kind === "disconnected" && e.code === "goaway" && e.retry >= 200));
  assert.equal(await fresh(tab), false);
  assert.equal(await reads(tab, "checkout.retries"), 4);

  await tab.visit(`${origin}/?again`); // the page begins anew while there is no server
  await begin(tab, w, { patterns: ["checkout.**"], cached: true });
  assert.deepEqual([await reads(tab, "checkout.retries"), await fresh(tab)], [4, false]);
  w.commit({ "config/checkout.yaml": "retries: 5\n" }, "While nobody looks");
  await w.serve();
  await eventually("what changed meanwhile is there", async () => (await reads(tab, "checkout.retries")) === 5 && fresh(tab));
  for (let i = 0; i < 3; i++) {
    w.relay.cut();
    await w.push({ "config/checkout.yaml": `retries: ${10 + i}\n` });
  }
  await eventually("it outlives cut connections", async () => (await reads(tab, "checkout.retries")) === 12 && fresh(tab));
  await tab.call(() => page.client.update({ patterns: ["ui.color"] }));
  await eventually("it follows something else", async () => (await reads(tab, "ui.color")) === "green");
  await tab.call(() => page.client.close());
  await eventually("nothing is left", async () => (await w.status()).sessions === 0);
});

test("a page of another origin shows a ticket, and never its token", limit, async (t) => {
  const origin = await serveModules(t);
  const w = await World.begin(t, shop, "--credentials-only", "--cors-origins", origin);
  const { token, id } = await w.token("website", { environments: ["prod"], public: true, rights: ["publish"] });
  const tab = await page(t, w, origin, { token });
  assert.deepEqual(await tab.call(() => page.client.state.values), { ui: { color: "green" } });
  w.relay.cut();
  await eventually("it is connected again", async () => (await events(tab)).some((e) => e.kind === "disconnected") && fresh(tab));
  const streams = tab.asked.filter((url) => url.startsWith("ws:"));
  assert.ok(streams.length >= 2 && streams.every((url) => /\/v1\/stream\?ticket=tlt_[\w-]{43}$/.test(url)), String(streams));
  assert.equal(new Set(streams).size, streams.length);
  assert.ok(!JSON.stringify(tab.asked).includes("tlk_"));
  assert.ok(!(await tab.call(() => JSON.stringify([{ ...localStorage }, document.cookie, page.events]))).includes("tlk_"));
  await w.revoke(id);
  await eventually("its end is felt", async () => (await events(tab)).some((e) => e.code === "tokenUnknown"));
});

test("a page is told why it is refused", limit, async (t) => {
  const origin = await serveModules(t);
  const w = await World.begin(t, shop, "--credentials-only", "--cors-origins", origin);
  const chrome = Chrome.launch(t);
  const refused = async (options) => {
    const tab = await page(t, w, origin, options, chrome);
    return tab.call(() => page.error);
  };
  assert.deepEqual(await refused({ token: `tlk_${"a".repeat(50)}` }), { code: "credentialMalformed", message: "the credential is not whole; check that it was copied from end to end", terminal: true });
  assert.equal((await refused({})).code, "credentialMissing");
  const { token } = await w.token("website", { environments: ["prod"], public: true });
  const unknown = await refused({ token, env: "staging" });
  assert.deepEqual([unknown.code, unknown.terminal], ["unknownEnvironment", true]);
});
