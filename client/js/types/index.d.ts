/**
 * What a value can be. An integer that a number cannot hold exactly, beyond 2^53, is a bigint; any other number is a number.
 * Values are immutable.
 */
export type Json = null | boolean | number | bigint | string | JsonList | JsonMap;
export type JsonList = readonly Json[];
export interface JsonMap {
  readonly [key: string]: Json;
}

/** Stands for a value that the credential may not see. The fingerprint changes when the value does. */
export type Redacted = { readonly $redacted: true; readonly fp: string };

/** Whether a value stands for one that the credential may not see. */
export function isRedacted(value: unknown): value is Redacted;

/** A variant of an experiment that the client has. Name it with what is measured. */
export interface Assignment {
  readonly experiment: string;
  readonly variant: string;
  /** Grows whenever variants get other units: what is measured of one phase is not that of another. */
  readonly phase: number;
  readonly layer: string;
  /** By name: it is left out of the analysis. Missing where it is not. */
  readonly forced?: boolean;
}

/** Reading, of one state or of the newest. */
export interface Reads {
  /**
   * All experiments that the client is in, as far as its patterns select something that one sets; in the control, too. They belong to the
   * values: those of one State are of one decision, unless the network parts them for longer than 50 ms.
   */
  readonly assignments: readonly Assignment[];
  /**
   * The value at a path, as database.primary.pool, servers[0], hosts["a.b"] or /hosts/a.b; undefined where nothing stands.
   */
  get(path: string): Json | undefined;
  /**
   * The value at a path, or the default where nothing stands or something of another type: that is told by an event, and in the log.
   * Of lists and maps it is only checked that they are one. With null for a default, any value is good.
   */
  get(path: string, otherwise: null): Json;
  get(path: string, otherwise: boolean): boolean;
  get(path: string, otherwise: string): string;
  get(path: string, otherwise: number): number;
  /** Any integer, as bigint. */
  get(path: string, otherwise: bigint): bigint;
  get<T extends object>(path: string, otherwise: T): T;

  /** An integer, or the default. With a number for it, one that a number holds exactly; with a bigint, any of 64 bits, as bigint. */
  int(path: string, otherwise: number): number;
  int(path: string, otherwise: bigint): bigint;

  /** A duration in milliseconds, written like 90s, 1h30m or 7d, or the default. */
  duration(path: string, otherwise: number): number;
}

/** All that is known of an environment at one moment: what is read from one State belongs together. It is immutable. */
export interface State extends Reads {
  readonly values: JsonMap;
  /** Names the content to the server. */
  readonly cursor: string;
  readonly commit: string;
  /** With the right to the history alone, as subject. */
  readonly author: string;
  readonly subject: string;
  /** The commit whose content this one restores; empty if it restores none. */
  readonly rollbackOf: string;
}

/** A difference between two states. */
export interface Change {
  readonly path: string;
  /** What stood there; undefined where nothing did. */
  readonly old: Json | undefined;
  /** What stands there; undefined where nothing does. */
  readonly new: Json | undefined;
}

/** What has changed for one who watches. */
export interface Update {
  readonly state: State;
  /** What the patterns select of it. */
  readonly values: JsonMap;
  /** What leads to values from those of the update before; at first from nothing. In the order of paths. */
  readonly changes: readonly Change[];
}

/** What a program reads its configuration from: a client, or in tests a fake. */
export interface Reader extends Reads {
  /** The newest state; null before the first. */
  readonly state: State | null;
  /** Since when the values may be older than what is live; null while they are what is live. */
  readonly staleSince: Date | null;
  /**
   * Calls back with what the patterns select, each with all that is below it: as soon as there are values, and then after every change of
   * it; never before watch has returned. Whoever is busy, until the promise it returned is settled, misses what lies between and gets
   * the newest. What it throws is logged. It returns a function that ends it.
   */
  watch(patterns: string | readonly string[], callback: (update: Update) => unknown): () => void;
}

/** What a client asks for. */
export interface Request {
  /** Select the values; none means all. At most 100. */
  patterns?: readonly string[];
  /**
   * Who asks, for values that depend on it: an object of JSON, of which targetingKey is the unit of rollouts and experiments, unless they
   * name another. At most 16 KiB, 256 values, and 5 maps and lists in one another.
   */
  context?: Record<string, unknown>;
}

/** Follows one environment. */
export interface Client extends Reader {
  /** Resolves when there are values; rejects with a TrunklineError when there will be none. */
  readonly ready: Promise<void>;
  /** Why the server refuses this client, so that following has ended; null while it goes on, and after close. */
  readonly error: TrunklineError | null;
  /**
   * Asks for something else on the connection there is; a field that is missing stays as it is. What the client has stays until the
   * server answers. Changes in quick succession are sent as one. What the server would refuse is thrown.
   */
  update(request: Request): void;
  /** Ends following at once; resolves when the newest values are in the cache. The values stay. */
  close(): Promise<void>;
}

/** What happened. State is what the client has from then on; changes lead to it from what it had, at first from nothing. */
export type Event = { readonly state: State | null } & (
  | { /** The values of an earlier run were found in the cache. */ readonly kind: "cached"; readonly changes: readonly Change[] }
  | { /** All values came anew. */ readonly kind: "snapshot"; readonly changes: readonly Change[] }
  | {
      /** Some values changed. */
      readonly kind: "delta";
      readonly changes: readonly Change[];
      /** commit, rollback, rewrite, pin, unpin, start; without a new version ramp, stop, resume, or context: after an update of it. */
      readonly cause: string;
    }
  | {
      /** The client is in other experiments, or variants. Where values changed with them, this comes after the event that tells of these. */
      readonly kind: "assignments";
      readonly assignments: readonly Assignment[];
    }
  | { /** Connected again, or asked for something else, and nothing had changed. */ readonly kind: "current"; readonly changes: readonly Change[] }
  | { /** The program did not accept state. */ readonly kind: "rejected"; readonly error: TrunklineError }
  | { readonly kind: "disconnected"; readonly error: TrunklineError; /** Milliseconds until it is tried again. */ readonly retry: number }
  | { /** The server refuses this client: nothing more will come. */ readonly kind: "refused"; readonly error: TrunklineError }
  | {
      /** A default was given in the place of what stands at a path, once for each state. */
      readonly kind: "unreadable";
      readonly path: string;
      readonly expected: string;
      readonly found: string;
    }
);

/** Keeps the last values that were accepted for the next run. */
export interface Cache {
  /** What was written last; null when nothing was. */
  read(): string | null | Promise<string | null>;
  write(text: string): void | Promise<void>;
}

/** A cache in the browser's localStorage, under a key; "trunkline" by default. Whoever uses the page, and all its scripts, can read it. */
export function localStorageCache(key?: string): Cache;

/** As much of a WebSocket as is needed: that of browsers, of Node, and of the package ws are such. */
export interface Socket {
  readonly protocol: string;
  addEventListener(type: string, listener: (event: any) => void): void;
  send(data: string): void;
  close(code?: number): void;
}

export interface Options extends Request {
  /** The server, as https://config.example.com. */
  url: string | URL;
  /** The environment; it may be missing where the server has only one. */
  env?: string;
  /**
   * The credential, or what returns it. Before each connection it is exchanged for a ticket (POST /v1/tickets), which serves once: no
   * token ever stands in an address.
   */
  token?: string | (() => string | Promise<string>);
  /**
   * In the place of a token: fetches a ticket before each connection, from the page's own server, say. What it throws is tried again,
   * unless it is a TrunklineError that is terminal.
   */
  ticket?: () => string | Promise<string>;
  /** What the program calls itself. */
  client?: { name?: string; version?: string };
  /**
   * Asked whether the program can use what came, before anybody reads it. When it throws, or its promise rejects, the values stay as
   * they were, and the server is told the message, in at most 1024 bytes that people will read: it must hold no secret. While a promise
   * is open, the newest waits, and what came in between is passed over.
   */
  accept?: (state: State) => unknown;
  /** With it a program starts when no server can be reached: with the values of its last run. They are stale until a server says otherwise. */
  cache?: Cache;
  /** Ends the wait of connect, and nothing else. */
  signal?: AbortSignal;
  /** Called for whatever happens, in order. */
  onEvent?: (event: Event) => unknown;
  /** Where warnings and errors go: the console by default, nowhere with null. */
  log?: { warn(message: string): void; error(message: string): void } | null;
  /** The platform's own by default. */
  WebSocket?: new (url: string, protocols: string[]) => Socket;
  /** The platform's own by default. */
  fetch?: typeof fetch;
}

/** Follows until close, and resolves when there are values: the server's, or cached ones if no server answers within three seconds. */
export function connect(options: Options): Promise<Client>;

/** Follows until close, and does not wait for values: until there are some, reads give their defaults. */
export function open(options: Options): Client;

/** Why something could not be done. */
export class TrunklineError extends Error {
  constructor(code: string, message: string, more?: { hint?: string; terminal?: boolean; cause?: unknown });
  /** Stays what it is while the words may change. A refusal by the server has the server's code, as unknownEnvironment. */
  readonly code: string;
  readonly hint: string;
  /** Trying again is of no use. */
  readonly terminal: boolean;
  /** After which the server asks to be called again. */
  readonly retryAfterMs: number | undefined;
  /** Of the WebSocket. */
  readonly closeCode: number | undefined;
}
