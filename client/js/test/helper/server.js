// The real server, on a real Git repository, and a relay to it whose connections the test cuts.

import { execFileSync, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parse } from "../../src/json.js";

const program = process.env.TRUNKLINE ?? fileURLToPath(new URL("../../../../bin/trunkline", import.meta.url));
const secret = "a secret of the tests";
const patience = 30_000;

const env = {
  ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_AUTHOR_NAME: "Ada", GIT_AUTHOR_EMAIL: "ada@shop.example",
  GIT_COMMITTER_NAME: "Ada", GIT_COMMITTER_EMAIL: "ada@shop.example", TRUNKLINE_WEBHOOK_SECRET: secret,
};

/** Waits until a condition gives something, which is no text: a text tells what it still lacks. */
export async function eventually(what, condition) {
  const deadline = Date.now() + patience;
  for (;;) {
    let last;
    try {
      last = await condition();
      if (last && typeof last !== "string") return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patience / 1000} s: ${last}`, { cause: last });
    await sleep(10);
  }
}

export class World {
  /** A server of a repository that begins with these files; it ends with the test. Clients connect through url. */
  static async begin(t, files, ...args) {
    if (!existsSync(program)) throw new Error(`${program} is not there: make build makes it, or name yours by TRUNKLINE`);
    const w = new World();
    w.dir = mkdtempSync(join(tmpdir(), "trunkline-js-"));
    w.remote = join(w.dir, "remote.git");
    w.work = join(w.dir, "work");
    w.args = args;
    t.after(() => w.end());
    process.once("exit", () => w.child?.kill("SIGKILL"));
    execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", w.remote], { env });
    execFileSync("git", ["init", "--quiet", "--initial-branch=main", w.work], { env });
    w.git("remote", "add", "origin", w.remote);
    w.commit(files, "Begin");
    await w.serve();
    w.relay = await Relay.begin(() => w.port);
    w.url = `http://127.0.0.1:${w.relay.port}`;
    return w;
  }

  git(...args) {
    return execFileSync("git", ["-C", this.work, ...args], { env, encoding: "utf8" }).trim();
  }

  commit(files, subject) {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.work, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    }
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "-m", subject);
    this.git("push", "--quiet", "origin", "HEAD:main");
    return this.git("rev-parse", "HEAD");
  }

  /** Commits, pushes and announces. */
  async push(files, subject = "Change") {
    const commit = this.commit(files, subject);
    if (this.child) await this.announce();
    return commit;
  }

  async announce() {
    const body = JSON.stringify({ ref: "refs/heads/main", repository: { clone_url: this.remote } });
    const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    await this.ask("POST", "/webhook/github", body, { "Content-Type": "application/json", "X-GitHub-Event": "push", "X-Hub-Signature-256": signature });
  }

  async serve() {
    const args = ["serve", "--repo", this.remote, "--data", join(this.dir, "data"), "--listen", `127.0.0.1:${this.port ?? 0}`, "--poll", "10m", "--webhooks", ...this.args];
    const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    this.child = child;
    this.gone = once(child, "exit");
    const said = [];
    const serving = new Promise((resolve, reject) => {
      createInterface(child.stderr).on("line", (line) => {
        said.push(line);
        const at = /msg=serving .*addr=\S*:(\d+)/.exec(line);
        if (at) resolve(Number(at[1]));
      });
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${said.join("\n")}`)));
    });
    serving.catch(() => {}); // when it ends later
    this.port = await serving;
    await eventually("the server serves", async () => (await this.ask("GET", "/readyz")) !== "");
  }

  get base() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends the server: SIGTERM says goaway, SIGKILL nothing. */
  async stop(signal = "SIGTERM") {
    this.child?.kill(signal);
    this.child = null;
    await this.gone;
  }

  async restart(signal) {
    await this.stop(signal);
    await this.serve();
  }

  async end() {
    this.relay?.close();
    await this.stop("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }

  async ask(method, path, body, headers = {}) {
    const answer = await fetch(`${this.base}${path}`, { method, body, headers: { ...this.operator(), ...headers } });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}: ${text}`);
    return text;
  }

  operator() {
    const file = join(this.dir, "data", "operator.token");
    return existsSync(file) ? { Authorization: `Bearer ${readFileSync(file, "utf8").trim()}` } : {};
  }

  /** What is live, by the server's own word to who shows no credential. */
  async values(path = "") {
    return parse(await (await fetch(`${this.base}/v1/config/${path}`)).text());
  }

  async status() {
    return JSON.parse(await this.ask("GET", "/v1/status"));
  }

  /** Makes a token, whose text and id the answer holds. */
  async token(name, grant) {
    return JSON.parse(await this.ask("POST", "/v1/tokens", JSON.stringify({ name, grant }), { "Content-Type": "application/json" }));
  }

  async revoke(id) {
    await this.ask("DELETE", `/v1/tokens/${id}`);
  }
}

/** Carries connections to a port until it is told to cut them. */
class Relay {
  #pairs = new Set();

  static async begin(target) {
    const relay = new Relay();
    relay.server = createServer((from) => relay.#carry(from, connect(target(), "127.0.0.1")));
    relay.server.listen(0, "127.0.0.1");
    await once(relay.server, "listening");
    relay.port = relay.server.address().port;
    return relay;
  }

  #carry(...pair) {
    this.#pairs.add(pair);
    for (const [i, socket] of pair.entries()) {
      socket.pipe(pair[1 - i]);
      socket.on("error", () => {});
      socket.on("close", () => {
        pair[1 - i].destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  cut() {
    for (const pair of this.#pairs) pair.forEach((socket) => socket.destroy());
  }

  close() {
    this.server.close();
    this.cut();
  }
}
