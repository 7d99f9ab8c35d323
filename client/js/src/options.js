import { TrunklineError } from "./errors.js";
import { BOUNDS, TIMES } from "./limits.js";
import { ask, whoOf } from "./request.js";

/** @import * as api from "../types/index.js" */

/**
 * Options that were checked.
 * @typedef {ReturnType<typeof check>} Settings
 */

/**
 * Checks what a program asks for. The last two are for tests, which cannot wait as long.
 * @param {api.Options & {times?: Partial<typeof TIMES>, bounds?: typeof BOUNDS}} options
 */
export function check(options) {
  const http = address(options.url);
  const stream = new URL("v1/stream", http);
  stream.protocol = http.protocol === "https:" ? "wss:" : "ws:";
  const WebSocket = options.WebSocket ?? globalThis.WebSocket;
  if (WebSocket === undefined) throw bad("there is no WebSocket here", "Node has its own from version 22 on; before, pass that of the package ws as WebSocket");
  if (options.token !== undefined && options.ticket !== undefined) throw bad("both a token and a ticket are given", "keep one");
  callable(options, "ticket", "accept", "onEvent");
  const who = whoOf(options);
  return Object.freeze({
    who,
    asked: ask(who, options),
    url: http.href,
    stream: stream.href,
    tickets: new URL("v1/tickets", http).href,
    token: tokenOf(options.token),
    ticket: options.ticket,
    accept: options.accept,
    cache: options.cache,
    onEvent: options.onEvent ?? (() => {}),
    log: logOf(options.log),
    WebSocket: /** @type {new (url: string, protocols: string[]) => api.Socket} */ (WebSocket),
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    times: { ...TIMES, ...options.times },
    bounds: options.bounds ?? BOUNDS,
  });
}

/** The server's, as http or https, and with a slash at its end. @param {string | URL} text */
function address(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw bad("url is no server's URL", "write it like https://config.example.com");
  }
  if (url.username || url.password || url.search) throw bad("the URL holds more than where the server is", "pass a credential as token or ticket");
  url.hash = "";
  url.protocol = url.protocol.replace(/^ws/, "http");
  if (!/^https?:$/.test(url.protocol)) throw bad(`a URL of ${url.protocol} is no server's`, "it begins with https:// or http://");
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** @param {api.Options["token"]} token */
function tokenOf(token) {
  if (token === undefined || typeof token === "function") return token;
  if (typeof token !== "string" || token === "") throw bad("the token is empty", "leave it out to connect without one");
  return () => token;
}

/** Where warnings and errors go. One that fails harms nobody. @param {api.Options["log"]} log */
function logOf(log = console) {
  if (log !== null && [log.warn, log.error].some((tell) => typeof tell !== "function")) throw bad("a log has the methods warn and error");
  const teller = (/** @type {"warn" | "error"} */ level) => (/** @type {string} */ message) => {
    try {
      log?.[level](message);
    } catch {
      // there is nobody to tell
    }
  };
  return { warn: teller("warn"), error: teller("error") };
}

/** @param {api.Options} options @param {...("ticket" | "accept" | "onEvent")} names */
function callable(options, ...names) {
  for (const name of names) {
    if (options[name] !== undefined && typeof options[name] !== "function") throw bad(`${name} is a function`);
  }
}

/** @param {string} message @param {string} [hint] */
function bad(message, hint) {
  return new TrunklineError("badOptions", message, { hint, terminal: true });
}
