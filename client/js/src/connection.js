import { TrunklineError, wrap } from "./errors.js";

/** @import {Socket} from "../types/index.js" */
/** @import {TIMES} from "./limits.js" */

export const subprotocol = "trunkline.v1.json";

/**
 * What a connection tells of: that it is open, each message, and once, last, why it has ended.
 * @typedef {{open: () => void, message: (text: string) => void, ended: (error: TrunklineError) => void}} Handlers
 */

/**
 * What a server tells of why it will close.
 * @typedef {{code: string, message: string, hint: string}} Reasons
 */

/** One WebSocket. It ends by itself when it comes to nothing, or nothing more is heard. */
export class Connection {
  opened = false;
  #socket;
  #times;
  #handlers;
  #over = false;
  /** @type {Reasons | null} */
  #reported = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Socket} socket @param {typeof TIMES} times @param {Handlers} handlers */
  constructor(socket, times, handlers) {
    this.#socket = socket;
    this.#times = times;
    this.#handlers = handlers;
    this.#arm(times.dial, () => new TrunklineError("unreachable", `no connection within ${times.dial / 1000} s`));
    socket.addEventListener("open", () => this.#open());
    socket.addEventListener("message", ({ data }) => this.#message(data));
    socket.addEventListener("error", ({ message }) => this.#failed(message));
    socket.addEventListener("close", ({ code, reason }) => this.end(closeError(code, reason, this.#reported)));
  }

  /** @param {object} message */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** Takes note of why the server will close: its close code says whether connecting again is of use. @param {Reasons} reasons */
  report(reasons) {
    this.#reported = reasons;
    this.#arm(this.#times.close, () => new TrunklineError(reasons.code, reasons.message, { hint: reasons.hint }));
  }

  /** Ends it for a reason; the first one counts. @param {TrunklineError} error */
  end(error) {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    try {
      this.#socket.close(1000);
    } catch {
      // it is closed
    }
    this.#handlers.ended(error);
  }

  #open() {
    if (this.#over) return;
    if (this.#socket.protocol !== subprotocol) {
      this.end(new TrunklineError("protocol", `what answers does not speak ${subprotocol}`));
      return;
    }
    this.opened = true;
    this.#heard();
    this.#handlers.open();
  }

  /** @param {unknown} data */
  #message(data) {
    if (this.#over || this.#reported) return;
    this.#heard();
    try {
      if (typeof data !== "string") throw new TrunklineError("protocol", "a message of the server is no text");
      this.#handlers.message(data);
    } catch (error) {
      this.end(wrap(error, "protocol", "a message of the server"));
    }
  }

  /** Not every WebSocket tells of its end when it has never been open. @param {unknown} why */
  #failed(why) {
    if (this.opened) this.#arm(this.#times.close, () => closeError(1006, "", this.#reported));
    else this.end(new TrunklineError("unreachable", `no connection${why ? `: ${why}` : ""}`));
  }

  #heard() {
    const { silence } = this.#times;
    this.#arm(silence, () => new TrunklineError("silent", `nothing was heard for ${silence / 1000} s`));
  }

  /** Ends the connection after a time, unless it is armed again before. @param {number} ms @param {() => TrunklineError} error */
  #arm(ms, error) {
    if (this.#over) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.end(error());
      /** @type {any} */ (this.#socket).terminate?.(); // that of ws would wait for an answer
    }, ms);
  }
}

/** @param {number} code @param {string} reason @param {Reasons | null} reported */
function closeError(code, reason, reported) {
  const more = { hint: reported?.hint, terminal: code >= 4400 && code < 4500, closeCode: code };
  const message = reported?.message ?? (reason || `the connection ended with code ${code}`);
  return new TrunklineError(reported?.code ?? (more.terminal ? "refused" : "disconnected"), message, more);
}
