// A headless Chromium, driven by the DevTools protocol through a pipe: no port is opened, and it ends when the pipe does.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { eventually } from "./server.js";

const names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const patience = 60_000; // for one answer

function binary() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (found) return found;
  throw new Error("no Chromium is installed: web/setup.sh installs one on Debian, or name yours by CHROMIUM");
}

export class Chrome {
  #last = 0;
  #waiting = new Map();
  #tabs = new Map(); // by session

  /** Starts a Chromium, which ends with the test. */
  static launch(t) {
    const c = new Chrome();
    c.dir = mkdtempSync(join(tmpdir(), "trunkline-chrome-"));
    c.child = spawn(binary(), [
      "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", `--user-data-dir=${c.dir}`, "about:blank",
    ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true });
    const kill = () => {
      try {
        process.kill(-c.child.pid, "SIGKILL"); // the group that it began, and nobody else
      } catch {
        // it is gone
      }
    };
    process.once("exit", kill);
    c.child.once("exit", () => c.#waiting.forEach(({ reject }) => reject(new Error("Chromium has ended"))));
    c.child.stdio[3].on("error", () => {}); // when it has ended
    c.#listen(c.child.stdio[4]);
    t.after(async () => {
      const gone = once(c.child, "exit");
      kill();
      await gone;
      rmSync(c.dir, { recursive: true, force: true, maxRetries: 10 });
    });
    return c;
  }

  /** Hands on what Chromium says, messages that each end in a zero byte. */
  #listen(from) {
    let rest = "";
    from.setEncoding("utf8").on("data", (data) => {
      const texts = (rest + data).split("\0");
      rest = texts.pop();
      for (const text of texts) this.#hear(JSON.parse(text));
    });
  }

  #hear({ id, sessionId, method, params, result, error }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(`${waiting.method}: ${error.message}`));
    else if (waiting) waiting.resolve(result);
    else this.#tabs.get(sessionId)?.hear(method, params);
  }

  do(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer within ${patience / 1000} s`)), patience);
      const done = (settle) => (v) => (clearTimeout(timer), settle(v));
      this.#waiting.set(id, { method, resolve: done(resolve), reject: done(reject) });
      this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** Opens an address in a browser context of its own, which shares neither storage nor cache with another. */
  async open(url) {
    const { browserContextId } = await this.do("Target.createBrowserContext");
    const { targetId } = await this.do("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.do("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, sessionId);
    this.#tabs.set(sessionId, tab);
    for (const domain of ["Page", "Runtime", "Network"]) await tab.do(`${domain}.enable`);
    await tab.visit(url);
    return tab;
  }
}

/** One page, with what went wrong in it, and the addresses that it asked for. */
class Tab {
  complaints = [];
  asked = [];

  constructor(chrome, session) {
    this.chrome = chrome;
    this.session = session;
  }

  do(method, params) {
    return this.chrome.do(method, params, this.session);
  }

  hear(method, params) {
    if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Network.requestWillBeSent") this.asked.push(params.request.url);
    if (method === "Network.webSocketCreated") this.asked.push(params.url);
  }

  async visit(url) {
    await this.do("Page.navigate", { url });
    await eventually(`${url} is there`, async () => (await this.run("document.readyState")) === "complete" && (await this.run("location.href")) === url);
  }

  /** Runs a function in the page, with arguments of JSON, and returns what it promises. */
  call(f, ...args) {
    return this.run(`(${f})(...${JSON.stringify(args)})`);
  }

  async run(expression) {
    const { result, exceptionDetails: e } = await this.do("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (e) throw new Error(e.exception?.description ?? e.text);
    return result.value;
  }
}

/** Serves the client's modules to pages, under a policy that allows nothing else than they need. */
export async function serveModules(t) {
  const root = new URL("../../", import.meta.url);
  const server = createServer((request, response) => {
    response.setHeader("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src http://127.0.0.1:* ws://127.0.0.1:*");
    if (request.url === "/") return response.setHeader("Content-Type", "text/html").end("<!doctype html><title>A page</title>");
    if (!/^\/src\/\w+\.js$/.test(request.url)) return response.writeHead(404).end();
    response.setHeader("Content-Type", "text/javascript").end(readFileSync(new URL(request.url.slice(1), root)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
