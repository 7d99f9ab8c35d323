// Pins that stand, and what is on record.
import { get } from "../api.js";
import { h, scrollable } from "../dom.js";
import { asked, deed, details, kinds } from "../deeds.js";
import { instant, local, plural } from "../format.js";
import { pretty } from "../json.js";
import { choice, command, commit, empty, field, held, load, offer, sentence, table, time } from "../parts.js";
import { href } from "../route.js";

const page = 50; // records at a time

export function open(app) {
  const pins = h("div", { class: "results" });
  const kind = choice("kind", kinds);
  const env = choice("env", []);
  const author = h("input", { name: "author", type: "search", autocomplete: "off", maxlength: 200 });
  const since = h("input", { name: "since", type: "datetime-local" });
  const until = h("input", { name: "until", type: "datetime-local" });
  const form = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter records", onsubmit: submit },
    field("Records", kind),
    field("Environment", env),
    field("By", author),
    field("Since", since),
    field("Until", until),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Filter"), h("a", { href: href(["audit"]) }, "Clear")),
  );
  const records = h("div", { class: "results" });
  let query = {};
  let signal = null;

  function submit(event) {
    event.preventDefault();
    const wanted = held(form);
    app.go(["audit"], { ...wanted, since: instant(wanted.since), until: instant(wanted.until) });
  }

  function draw() {
    return Promise.all([
      load(pins, signal, async () => pinned((await get("pins", {}, signal)).body.pins)),
      load(records, signal, async () => {
        const { kind: chosen, ...rest } = query;
        const { body } = await get("audit", { ...rest, kind: asked(chosen), limit: page }, signal);
        return [list(body.entries ?? [], query, body), pager(query, body)];
      }),
    ]);
  }

  return {
    title: "Pins and audit",
    node: h(
      "div",
      {},
      h("h1", {}, "Pins and audit"),
      h("section", { "aria-labelledby": "pins" }, h("h2", { id: "pins" }, "Pins"), pins),
      h("section", { "aria-labelledby": "records" }, h("h2", { id: "records" }, "On record"), form, records),
    ),
    show(wanted, turn) {
      [query, signal] = [wanted, turn];
      kind.value = query.kind ?? "";
      offer(env, [["", "Any"], ...Object.keys(app.status.environments).sort()], query.env ?? "");
      author.value = query.author ?? "";
      since.value = local(query.since);
      until.value = local(query.until);
      return draw();
    },
    changed() {
      if (!query.after) return draw();
    },
  };
}

function pinned(list) {
  if (list.length === 0)
    return empty(
      "No environment is pinned.",
      "A pin holds an environment at a version, whatever is pushed meanwhile:",
      command("trunkline pin prod 4be2f1c --reason 'checkout fails' --expires 4h"),
    );
  return table("Pins", ["Environment", "Held at", "By", "Reason", "Since", "Until", "Waiting"], list, (p) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, p.environment),
      h("td", {}, commit(p.commit)),
      h("td", {}, p.by),
      h("td", {}, p.reason),
      h("td", {}, time(p.since)),
      h("td", {}, p.expires ? time(p.expires) : "it is taken off"),
      h("td", {}, p.newest ? commit(p.newest) : h("span", { class: "quiet" }, "nothing")),
    ),
  );
}

function list(entries, query, body) {
  if (entries.length === 0) {
    if (body.truncated) return empty("Nothing among the records that were looked at.", "Look at older ones.");
    return query.kind === "all"
      ? empty("Nothing is on record yet.")
      : empty("Nothing of this kind is on record.", "Choose other records above, or take a filter away.");
  }
  return [
    body.waiting > 0 && h("p", { class: "summary" }, `${plural(body.waiting, "record")} wait to be stored and are not shown.`),
    table("Records, newest first", ["When", "Who", "What", "Environment", "Record"], entries, row),
  ];
}

function row({ sequence, record, uncertain }) {
  const { who, what, environment, reason } = deed(record);
  const raw = h("details", { class: "raw" }, h("summary", {}, `#${sequence}`));
  raw.addEventListener(
    "toggle",
    () =>
      raw.open &&
      raw.childElementCount === 1 &&
      raw.append(scrollable(h("pre", { class: "block", role: "group", "aria-label": `Record ${sequence}` }, pretty(record)))),
    { once: true },
  );
  return h(
    "tr",
    {},
    h("td", {}, time(record.at)),
    h("td", {}, who || h("span", { class: "quiet" }, "nobody named")),
    h(
      "td",
      {},
      sentence(what),
      reason && h("p", { class: "quiet" }, `“${reason}”`),
      details(record).map((text) => h("p", { class: "quiet" }, text)),
      uncertain && h("p", { class: "quiet" }, "Shortened: it may not be about this path."),
    ),
    h("td", {}, environment || h("span", { class: "quiet" }, "all")),
    h("td", {}, raw),
  );
}

function pager(query, { truncated, next }) {
  const { after, ...rest } = query;
  if (!after && !truncated) return null;
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages of records" },
    after && h("a", { href: href(["audit"], rest) }, "Newest"),
    truncated && h("a", { href: href(["audit"], { ...rest, after: next }) }, "Older"),
  );
}
