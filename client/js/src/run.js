import { halt } from "./accept.js";
import { Keeper, recall } from "./cache.js";
import { Connection, subprotocol } from "./connection.js";
import { addressOf, inquire } from "./credential.js";
import { TrunklineError, messageOf, wrap } from "./errors.js";
import { MAX_REPORTS } from "./limits.js";
import { ask, hello, sameAsked, update } from "./request.js";
import { take } from "./take.js";
import { rest } from "./timely.js";

/** @import * as api from "../types/index.js" */
/** @import {Feed} from "./feed.js" */
/** @import {Offer} from "./accept.js" */
/** @import {Settings} from "./options.js" */
/** @import {Unreadable} from "./state.js" */

/** Following, from the first connection to the end. */
export class Run {
  /** @type {Connection | null} while there is one */
  connection = null;
  /** @type {Offer | null} what the server takes us to have; null when it must send everything */
  has = null;
  /** @type {import("./take.js").Parts | null} of a snapshot on its way */
  parts = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} while has is not given to the program: assignments may follow */
  held;
  /** Nothing has come since the last update was sent. */
  open = false;
  /** @type {Offer | null} what the program is asked about */
  judging = null;
  /** @type {Offer | null} what it is to be asked about next */
  waiting = null;
  /** @type {TrunklineError | null} why following has ended */
  fatal = null;
  /** @type {TrunklineError | null} why there are no values yet */
  trouble = null;
  over = false; // nothing more will come
  closed = false; // by the program

  #known = false; // a server has let us in
  #greeted = Infinity; // when the newest connection was open
  /** @type {Date | null} when a server last said something */
  #heard = null;
  #stop = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} while an update would come too early */
  #early;
  /** @type {Set<string>} */
  #reports = new Set();

  /** @param {Settings} options @param {Feed} feed */
  constructor(options, feed) {
    this.o = options;
    this.feed = feed;
    this.wanted = options.asked;
    this.asked = options.asked; // by the hello, or by the last update
    this.keeper = options.cache && new Keeper(options.cache, options);
    /** @type {() => void} lets go of those who wait for values */
    this.available = () => {};
    /** @type {(error: TrunklineError) => void} */
    this.unavailable = () => {};
    /** @type {Promise<void>} */
    this.ready = new Promise((resolve, reject) => {
      this.available = resolve;
      this.unavailable = reject;
    });
    this.ready.catch(() => {}); // not everybody waits for it
  }

  /** Follows until it is closed, or the server refuses this client. Nothing happens before it returns. */
  async start() {
    await null;
    const kept = this.keeper && (await recall(this, this.#stop.signal));
    await this.#follow();
    clearTimeout(kept);
  }

  async #follow() {
    for (let attempt = 0; !this.over; attempt++) {
      this.#greeted = Infinity;
      const error = await this.#connect().catch((thrown) => wrap(thrown, "unreachable", "no connection"));
      if (this.over) return;
      if (error.terminal) {
        this.#refused(error);
        return;
      }
      if (Date.now() - this.#greeted >= this.o.times.settled) attempt = 0;
      const wait = pause(this.o.times, error, attempt);
      this.#lost(error, wait);
      await rest(wait, this.#stop.signal);
    }
  }

  /** Connects once, follows until the connection ends, and returns why. @returns {Promise<TrunklineError>} */
  async #connect() {
    const address = await addressOf(this.o, this.#known, this.#stop.signal);
    if (this.over) throw closed();
    const socket = this.#dial(address);
    const [opened, error] = await new Promise((/** @type {(end: [boolean, TrunklineError]) => void} */ resolve) => {
      const connection = new Connection(socket, this.o.times, {
        open: () => this.#greet(connection),
        message: (text) => this.#take(text),
        ended: (why) => {
          this.connection = this.parts = null;
          this.drop();
          resolve([connection.opened, why]);
        },
      });
      this.connection = connection;
    });
    return opened ? error : ((await inquire(this.o, this.#stop.signal)) ?? error);
  }

  /** @param {string} address */
  #dial(address) {
    try {
      return new this.o.WebSocket(address, [subprotocol]);
    } catch (error) {
      throw new TrunklineError("badOptions", `no WebSocket can be made: ${messageOf(error).replaceAll(address, this.o.stream)}`, { terminal: true });
    }
  }

  /** @param {Connection} connection */
  #greet(connection) {
    this.#known = true;
    this.#greeted = Date.now();
    this.open = false;
    this.asked = this.wanted;
    connection.send(hello(this.o.who, this.asked, this.has?.state.cursor ?? ""));
  }

  /** @param {string} text */
  #take(text) {
    this.#heard = new Date();
    take(this, text);
  }

  /** Waits for assignments no more, and tells whether it did. */
  drop() {
    const held = this.held !== undefined;
    clearTimeout(this.held);
    this.held = undefined;
    return held;
  }

  /** @param {TrunklineError} error @param {number} retry */
  #lost(error, retry) {
    const told = this.trouble?.message === error.message;
    this.feed.stale(this.#heard ?? new Date());
    this.trouble = error;
    if (this.feed.state) this.available(); // what was kept has to do
    if (!told) this.o.log.warn(`trunkline: disconnected, and connecting again: ${error.message}`);
    this.emit({ kind: "disconnected", state: this.feed.state, error, retry });
  }

  /** @param {TrunklineError} error */
  #refused(error) {
    this.over = true;
    this.fatal = error;
    this.feed.stale(new Date());
    this.o.log.error(`trunkline: refused by the server: ${error.message}`);
    this.emit({ kind: "refused", state: this.feed.state, error });
    this.#end(error);
  }

  close() {
    this.closed = true;
    if (!this.over) {
      this.over = true;
      this.feed.stale(new Date());
      this.#end(closed());
    }
    this.feed.close();
    halt(this);
    return this.keeper?.done() ?? Promise.resolve();
  }

  /** Leaves nothing that would happen later. @param {TrunklineError} error */
  #end(error) {
    clearTimeout(this.#early);
    this.#stop.abort();
    this.connection?.end(error);
    this.unavailable(error);
  }

  /** Asks for something else. @param {api.Request} change */
  update(change) {
    this.wanted = ask(this.o.who, change, this.wanted);
    this.#askAgain();
  }

  /** Sends an update if something else is wanted than was asked for. */
  #askAgain() {
    if (!this.connection?.opened || this.#early !== undefined || sameAsked(this.wanted, this.asked)) return;
    this.asked = this.wanted;
    this.open = true;
    this.connection.send(update(this.asked));
    this.#early = setTimeout(() => {
      this.#early = undefined;
      this.#askAgain();
    }, this.o.times.update);
  }

  /** Makes the next connection begin with a snapshot. The values stay until then. @param {string} why @returns {never} */
  forget(why) {
    this.has = null;
    throw new TrunklineError("protocol", why);
  }

  /** Tells the program what happens, until it has closed the client. @param {api.Event} event */
  emit(event) {
    if (this.closed) return;
    const failed = (/** @type {unknown} */ error) => this.o.log.error(`trunkline: onEvent failed: ${messageOf(error)}`);
    try {
      Promise.resolve(this.o.onEvent(Object.freeze(event))).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Tells that a default was given, once for each state. @param {Unreadable} unreadable */
  report({ path, expected, found }) {
    const key = JSON.stringify([path, expected]);
    if (this.#reports.has(key) || this.#reports.size >= MAX_REPORTS) return;
    this.#reports.add(key);
    this.o.log.warn(`trunkline: ${path}: expected ${expected}, found ${found}: the default is used`);
    this.emit({ kind: "unreadable", state: this.feed.state, path, expected, found });
  }

  /** Begins to tell of them anew. */
  forgetReports() {
    this.#reports.clear();
  }
}

/**
 * How long to wait before connecting again: what the server asked for, else a random part of a time that doubles.
 * @param {import("./options.js").Settings["times"]} times
 * @param {TrunklineError} error
 * @param {number} attempt
 */
export function pause(times, { retryAfterMs }, attempt) {
  if (retryAfterMs !== undefined) return Math.min(Math.max(retryAfterMs, times.firstRetry), times.mostAsked);
  const most = Math.min(times.firstRetry * 2 ** Math.min(attempt, 16), times.mostRetry);
  return most / 10 + Math.random() * most;
}

function closed() {
  return new TrunklineError("closed", "the client is closed");
}
