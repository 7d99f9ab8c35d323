import type { Assignment, Client, State, TrunklineError } from "./index.js";

/** Values by their paths. A map or a list may be given as a whole. */
export type Values = Record<string, unknown>;

/** What a server would be told of values that the program does not accept. */
export interface Nack {
  readonly state: State;
  readonly reason: string;
}

/** A client without a server, for the tests of programs. It is read as any client; its values are set by the test. */
export interface Fake extends Client {
  /** Puts a value at a path, as a new version. What lies above it is made. */
  set(path: string, value: unknown): void;
  /** Puts several values, as one new version. */
  setAll(values: Values): void;
  /** Takes away what stands at a path, as a new version. */
  remove(path: string): void;
  /** Puts what readers are shown who may not see the value at a path. */
  redact(path: string): void;
  /** Puts the client in experiments, and no others, as a new version. What is not said is phase 1 of the layer "fake". */
  setAssignments(assignments: readonly (Pick<Assignment, "experiment" | "variant"> & Partial<Assignment>)[]): void;
  /** Makes the values stale from now on, until the next are accepted or connect is called. */
  disconnect(): void;
  connect(): void;
  /** Has the server refuse this client. */
  refuse(error: TrunklineError): void;
  /** What the program did not accept so far. */
  readonly nacks: readonly Nack[];
  /** What the program asked for last. */
  readonly patterns: readonly string[];
  readonly context: Readonly<Record<string, unknown>>;
  /** How many watch. */
  readonly watching: number;
}

/** Makes a fake. What it begins with is accepted. */
export function fake(values?: Values, options?: { accept?: (state: State) => void }): Fake;
