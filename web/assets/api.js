// The HTTP API, with the credential of this tab.
import { parse } from "./json.js";
import { params } from "./route.js";
import { token } from "./store.js";

const patience = 30000; // milliseconds for an answer

/** An answer that is an error: what is wrong, and the next step. status is 0 where there was no answer. */
export class Refusal extends Error {
  constructor(status, { code, message, hint }) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

/** Asks for an answer. Resolves to {body, commit, basis}; rejects with a Refusal, or an AbortError when signal says so. */
export async function get(path, query, signal) {
  return ask(path, query, { signal });
}

export async function post(path, query, body, signal) {
  return ask(path, query, { signal, method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

async function ask(path, query, options) {
  const search = params(query ?? {});
  const headers = { Accept: "application/json", ...options.headers };
  const mine = token.get();
  if (mine) headers.Authorization = `Bearer ${mine}`;
  const late = AbortSignal.timeout(patience);
  const signal = options.signal ? AbortSignal.any([options.signal, late]) : late;
  try {
    const answer = await fetch(`v1/${path}${search ? "?" + search : ""}`, { ...options, headers, signal, cache: "no-store" });
    return await read(answer);
  } catch (error) {
    if (error instanceof Refusal || options.signal?.aborted) throw error;
    throw unreachable(late.aborted);
  }
}

async function read(answer) {
  const text = await answer.text();
  let body = null;
  try {
    body = parse(text);
  } catch {
    // a proxy's page, say
  }
  if (!answer.ok || body === null) throw new Refusal(answer.status, body?.error ?? strange(answer));
  return { body, commit: answer.headers.get("Trunkline-Commit") ?? "", basis: answer.headers.get("Trunkline-Basis") ?? "" };
}

function strange(answer) {
  return {
    code: "strange",
    message: `The answer is ${answer.status} ${answer.statusText}`.trim() + ", and not one of this server.",
    hint: "A proxy between may have answered in its place.",
  };
}

function unreachable(late) {
  return new Refusal(0, {
    code: "unreachable",
    message: late ? "The server has not answered for 30 s." : "The server does not answer.",
    hint: "What it serves stays as it is with its clients. This page tries again by itself.",
  });
}
