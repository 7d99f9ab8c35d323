// Pieces that several views show.
import { fill, h, icon, scrollable } from "./dom.js";
import { ago, exact, place, plural, short, since } from "./format.js";
import { line, pretty, redacted } from "./json.js";
import { commitLink, fileLink } from "./links.js";
import { steps } from "./paths.js";
import { href } from "./route.js";

/** A mark with its words: never colour alone. */
export function badge({ icon: name, tone, text }) {
  return h("span", { class: `badge ${tone}` }, icon(name), h("span", {}, text));
}

/** A time as people say it, with the exact one behind it. */
export function time(at) {
  return h("time", { datetime: at, title: exact(at), "data-ago": true }, ago(at));
}

/** How long something has lasted, with the exact time of its beginning. */
export function lasting(at) {
  return h("time", { datetime: at, title: exact(at), "data-since": true }, since(at));
}

/** A commit's short name, leading to the version. */
export function commit(name, subject) {
  if (!name) return null;
  return h(
    "a",
    { class: "commit", href: href(["versions", name]), title: name },
    short(name),
    subject && h("span", { class: "subject" }, " ", subject),
  );
}

/** Who last changed something, as blame tells it. */
export function changer(origin) {
  if (!origin) return h("span", { class: "quiet" }, "not told");
  return h(
    "span",
    {},
    commit(origin.commit),
    origin.older && " or before",
    " ",
    origin.author.name,
    " ",
    h("span", { class: "quiet" }, time(origin.committed)),
  );
}

/** Sentences made of texts, {commit} and {time}. */
export function sentence(parts) {
  return parts.map((part) => (typeof part === "string" ? part : part.time ? time(part.time) : commit(part.commit)));
}

/** A link that leaves the page, or null without an address. */
export function outward(address, text) {
  return address ? h("a", { class: "outward", href: address, rel: "noreferrer noopener" }, text, " ", icon("out")) : null;
}

/** The forge's page of a commit. */
export function forgeLink(app, name) {
  return outward(commitLink(app.forge, name), "Show on the forge");
}

/** Where in the config repo something is, as a link where the forge is known. */
export function source(app, at, name) {
  const text = place(at);
  if (!text) return null;
  const address = fileLink(app.forge, name, app.status?.server.path, at.file, at.line);
  const pieces = breakable(text, /(?<=\/)/);
  return address ? h("a", { class: "place", href: address, rel: "noreferrer noopener" }, pieces) : h("span", { class: "place" }, pieces);
}

/** A path as a link to the value. A long one breaks before its dots. */
export function valueLink(path, query) {
  return h("a", { class: "path", href: href(["value"], { ...query, path }) }, breakable(path, /(?=[.[])/));
}

function breakable(text, where) {
  return text.split(where).map((piece, i) => [i > 0 && h("wbr"), piece]);
}

/** The way from the top to a value. */
export function crumbs(path, query) {
  const all = steps(path);
  return h(
    "nav",
    { class: "crumbs", "aria-label": "Where the value is" },
    h(
      "ol",
      {},
      h("li", {}, h("a", { href: href(["values"], query) }, "All values")),
      all.map((step, i) =>
        h(
          "li",
          {},
          i === all.length - 1
            ? h("span", { "aria-current": "true" }, step.label)
            : h("a", { href: href(["values"], { ...query, pattern: step.path }) }, step.label),
        ),
      ),
    ),
  );
}

const longest = 160; // characters of a value in a list

/** A value in a list or table. One that is long can be opened. */
export function value(v) {
  if (v === undefined) return h("span", { class: "quiet" }, "not there");
  if (redacted(v)) return h("span", { class: "redacted", title: `fingerprint ${v.fp}` }, "redacted");
  const text = line(v, longest);
  if (!text.endsWith("…")) return h("code", { class: `value ${kind(v)}` }, text);
  return h("details", { class: "long" }, h("summary", {}, h("code", { class: `value ${kind(v)}` }, text)), block(v));
}

function kind(v) {
  return v === null ? "null" : typeof v === "string" ? "string" : typeof v === "object" && "text" in v ? "number" : typeof v;
}

const mostLines = 400;

/** A value on lines of its own. Of one that is very long the beginning. */
export function block(v) {
  const lines = pretty(v).split("\n");
  const cut = lines.length > mostLines;
  return h(
    "div",
    {},
    scrollable(
      h(
        "pre",
        { class: "block", role: "group", "aria-label": "Value" },
        h("code", {}, (cut ? lines.slice(0, mostLines) : lines).join("\n")),
      ),
    ),
    cut && h("p", { class: "quiet" }, `${plural(lines.length - mostLines, "more line")}. Choose a part of it to see the rest.`),
  );
}

/** Problems, each with its place and the next step. */
export function problems(app, list, name) {
  return h(
    "ul",
    { class: "problems" },
    list.map((p) => {
      const mark =
        p.severity === "warning" ? { icon: "alert", tone: "warn", text: "Warning" } : { icon: "cross", tone: "bad", text: "Error" };
      return h(
        "li",
        {},
        h(
          "p",
          { class: "problem-head" },
          badge(mark),
          source(app, p, name),
          p.path && h("code", { class: "path" }, p.path),
          h("span", { class: "quiet" }, p.rule),
        ),
        h("p", { class: "problem-text" }, p.message),
        p.hint && h("p", { class: "hint" }, icon("more"), p.hint),
        p.environments?.length > 0 && h("p", { class: "quiet" }, `In ${p.environments.join(", ")}`),
      );
    }),
  );
}

/** What there is to know where there is nothing to see: what that means, and the next step. */
export function empty(title, ...more) {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "empty-title" }, title),
    more.map((m) => (typeof m === "string" ? h("p", {}, m) : m)),
  );
}

/** A command to type elsewhere. */
export function command(text) {
  return scrollable(h("pre", { class: "command", role: "group", "aria-label": "Command" }, h("code", {}, text)));
}

const plain = {
  401: "The server asks for a credential that it knows.",
  403: "The credential you use does not allow this.",
  404: "There is no such thing, or your credential does not show it.",
  421: "The server does not answer under this name.",
  429: "Too many requests for the moment.",
  503: "The server is not ready for this yet.",
};

/** An error of the API in plain words, with its own message and hint. */
export function refusal(error) {
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    icon("alert"),
    h(
      "div",
      {},
      plain[error.status] && h("p", { class: "notice-title" }, plain[error.status]),
      h("p", {}, error.message),
      error.hint && h("p", { class: "hint" }, icon("more"), error.hint),
      (error.status === 401 || error.status === 403) && h("p", {}, h("a", { href: href(["token"]) }, "Use another token")),
    ),
  );
}

/** Something that one should know before all else. */
export function notice(tone, title, ...more) {
  return h(
    "div",
    { class: `notice ${tone}` },
    icon("alert"),
    h(
      "div",
      {},
      h("p", { class: "notice-title" }, title),
      more.map((m) => h("p", {}, m)),
    ),
  );
}

const rowsAtOnce = 200;

/**
 * A table that scrolls by itself where it is too wide. columns are texts; row makes an element tr of an item. Of many items the first
 * are shown, and a button shows more.
 */
export function table(caption, columns, items, row) {
  const body = h("tbody", {}, items.slice(0, rowsAtOnce).map(row));
  const more = h("button", { type: "button", class: "second", onclick: grow });
  function grow() {
    const from = body.childElementCount;
    body.append(...items.slice(from, from + rowsAtOnce).map(row));
    body.rows[from].querySelector("a, summary")?.focus();
    label();
  }
  function label() {
    more.textContent = `Show more: ${plural(items.length - body.childElementCount, "row")} left`;
    more.hidden = body.childElementCount >= items.length;
  }
  label();
  return [
    scrollable(
      h(
        "div",
        { class: "scroll", role: "group", "aria-label": caption },
        h(
          "table",
          {},
          h("caption", { class: "unseen" }, caption),
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              columns.map((c) => h("th", { scope: "col" }, c)),
            ),
          ),
          body,
        ),
      ),
    ),
    items.length > rowsAtOnce && h("p", { class: "pager" }, more),
  ];
}

/** A list of names and what belongs to them. Empty ones are left out. */
export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, what]) => what !== null && what !== undefined && what !== "")
      .map(([name, what]) => h("div", {}, h("dt", {}, name), h("dd", {}, what))),
  );
}

/** A field of a form with its label. */
export function field(label, control, hint) {
  const id = `field-${control.name}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", id + "-hint");
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    control,
    hint && h("p", { class: "field-hint", id: id + "-hint" }, hint),
  );
}

/** A choice: options are names, or [value, text]. */
export function choice(name, options, chosen = "") {
  return h(
    "select",
    { name },
    options.map((o) => [o].flat()).map(([v, text = v]) => h("option", { value: v, selected: v === chosen }, text)),
  );
}

/** Puts other options into a choice, without losing what is chosen. */
export function offer(select, options, chosen) {
  const wanted = options.map((o) => [o].flat());
  if (JSON.stringify(wanted) !== select.dataset.options) {
    select.dataset.options = JSON.stringify(wanted);
    select.replaceChildren(...wanted.map(([v, text = v]) => h("option", { value: v }, text)));
  }
  select.value = wanted.some(([v]) => v === chosen) ? chosen : (wanted[0]?.[0] ?? "");
}

/** What a form's fields hold: an object of texts. */
export function held(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()]));
}

const soon = 200; // milliseconds before a region says that it is loading

/**
 * Fills a region with what make resolves to. Until then it keeps what it shows, and says after a moment that it is busy. An error is
 * shown in it. Resolves to whether it was filled with what was asked for.
 */
export async function load(region, signal, make) {
  region.setAttribute("aria-busy", "true");
  const late = setTimeout(() => region.childElementCount === 0 && fill(region, h("p", { class: "quiet loading" }, "Loading…")), soon);
  try {
    const content = await make();
    if (signal.aborted) return false;
    fill(region, content);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    if (error.status === undefined) throw error;
    fill(region, refusal(error));
    return false;
  } finally {
    clearTimeout(late);
    if (!signal.aborted) region.removeAttribute("aria-busy");
  }
}
