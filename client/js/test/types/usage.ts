// How programs in TypeScript use the client; it is compiled, and never run.

import { connect, isRedacted, localStorageCache, open, TrunklineError } from "@trunkline/client";
import type { Assignment, Client, Event, Json, Reader, Socket, State, Update } from "@trunkline/client";
import { fileCache } from "@trunkline/client/node";
import { fake } from "@trunkline/client/testing";
import * as source from "../../src/index.js";
import * as testing from "../../src/testing.js";

// What is written is what is promised.
const promised: typeof import("@trunkline/client") = source;
const promisedTesting: typeof import("@trunkline/client/testing") = testing;
const platform: new (url: string, protocols: string[]) => Socket = WebSocket;
export { platform, promised, promisedTesting };

export async function program(): Promise<void> {
  const config = await connect({
    url: new URL("https://config.example.com"), env: "prod", patterns: ["checkout.**"], context: { targetingKey: "u1" }, token: async () => "tlk_x",
    client: { name: "shop", version: "1.9" }, accept: (s: State) => s.get("checkout.limit", 0) > 0, cache: fileCache("/var/lib/shop/config"),
    signal: AbortSignal.timeout(10_000), log: null, onEvent: told, WebSocket, fetch,
  });
  const typed: [string, number, boolean, bigint, number, bigint, number] = [
    config.get("a", ""), config.get("a", 0), config.get("a", false), config.get("a", 0n), config.int("a", 0), config.int("a", 0n), config.duration("a", 1000),
  ];
  const shaped: { host: string } = config.get("a", { host: "localhost" });
  const listed: string[] = config.get("a", ["x"]);
  const any: Json | undefined = config.get("a");
  const state: State | null = config.state;
  const variants: (string | boolean | undefined)[] = config.assignments.map((a: Assignment) => a.forced ?? a.variant);
  const stop: () => void = config.watch(["a.**"], async (u: Update) => void u.values["a"]);
  config.update({ patterns: [] });
  config.update({ context: {} });
  stop();
  await config.close();
  void [typed, shaped, listed, any, state, variants, open({ url: "", cache: localStorageCache() }).ready, isRedacted(any) && any.fp];

  // @ts-expect-error a URL is needed
  open({});
  // @ts-expect-error there is no such option
  open({ url: "", patern: [] });
  // @ts-expect-error a number is no string
  const text: string = config.get("a", 0);
  // @ts-expect-error an integer needs a default
  config.int("a");
  // @ts-expect-error assignments are immutable
  config.assignments.push({ experiment: "a", variant: "b", phase: 1, layer: "c" });
  // @ts-expect-error values are immutable
  config.state!.values["a"] = 1;
  void text;
}

function told(e: Event): string | number | undefined {
  if (e.kind === "disconnected") return e.retry;
  if (e.kind === "delta") return e.cause + e.changes.length;
  if (e.kind === "assignments") return e.assignments[0]?.experiment;
  if (e.kind === "unreadable") return e.path + e.expected + e.found;
  if (e.kind === "rejected" || e.kind === "refused") return e.error instanceof TrunklineError ? e.error.code : "";
  return e.changes[0]?.path;
}

function service(config: Reader): boolean {
  return config.get("on", false);
}

export function ofTests(): void {
  const f = fake({ on: true }, { accept: (s) => void s.get("on", false) });
  const client: Client = f;
  service(f);
  f.setAll({ "checkout.limit": 20n });
  f.setAssignments([{ experiment: "checkout-button", variant: "green" }]);
  void [client, f.nacks[0]?.reason, f.watching];
}
