// Judged commits, newest first, a page at a time.
import { get } from "../api.js";
import { h, icon } from "../dom.js";
import { instant, local, names, short } from "../format.js";
import { badge, choice, empty, field, held, load, offer, sentence, time } from "../parts.js";
import { href } from "../route.js";
import { effects, fateText, fates, lineage, people } from "../words.js";

const page = 20; // versions at a time

export function open(app) {
  const env = choice("env", []);
  const verdict = choice("verdict", [["", "Any"], "valid", "rejected", "pending"]);
  const author = h("input", { name: "author", type: "search", autocomplete: "off", maxlength: 200 });
  const path = h("input", {
    name: "path",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "checkout.**",
    maxlength: 500,
  });
  const since = h("input", { name: "since", type: "datetime-local" });
  const until = h("input", { name: "until", type: "datetime-local" });
  const form = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter versions", onsubmit: submit },
    field("Environment", env),
    field("Verdict", verdict),
    field("Author", author),
    field("Changed path", path),
    field("Since", since),
    field("Until", until),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Filter"), h("a", { href: href(["versions"]) }, "Clear")),
  );
  const list = h("div", { class: "results", "aria-live": "off" });
  let query = {};
  let signal = null;

  function submit(event) {
    event.preventDefault();
    const wanted = held(form);
    app.go(["versions"], { ...wanted, since: instant(wanted.since), until: instant(wanted.until) });
  }

  async function draw() {
    await load(list, signal, async () => {
      const { body } = await get("versions", { ...query, limit: page }, signal);
      if (body.versions.length === 0) return nothing(query, body.next);
      return [
        h(
          "ol",
          { class: "versions" },
          body.versions.map((v) => entry(v)),
        ),
        pager(query, body.next),
      ];
    });
  }

  return {
    title: "Versions",
    node: h(
      "div",
      {},
      h("h1", {}, "Versions"),
      h("p", { class: "lead" }, "Every commit of the branch, with what became of it in each environment."),
      form,
      list,
    ),
    show(wanted, turn) {
      [query, signal] = [wanted, turn];
      offer(env, [["", "Any"], ...Object.keys(app.status.environments).sort()], query.env ?? "");
      verdict.value = query.verdict ?? "";
      author.value = query.author ?? "";
      path.value = query.path ?? "";
      since.value = local(query.since);
      until.value = local(query.until);
      return draw();
    },
    changed() {
      if (!query.before) return draw();
    },
  };
}

function filtered({ before: _, ...filters }) {
  return Object.keys(filters).length > 0;
}

function nothing(query, next) {
  if (next) return [empty("Nothing among these versions."), pager(query, next)];
  if (query.before) return [empty("There are no older versions."), pager(query, null)];
  if (filtered(query))
    return empty(
      "No version is like that.",
      "Take a filter away, or write a path with wildcards: * is one segment, ** any number of them.",
    );
  return empty("No version has been judged yet.", "The first is the head of the branch when the server started.");
}

function pager(query, next) {
  const { before, ...rest } = query;
  if (!before && !next) return null;
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages of versions" },
    before && h("a", { href: href(["versions"], rest) }, "Newest"),
    next && h("a", { href: href(["versions"], { ...rest, before: next }) }, "Older"),
  );
}

/** One version in a list. */
export function entry(v) {
  const undone = lineage(lineageOf(v), v.rollbackOf);
  return h(
    "li",
    { class: "version" },
    h(
      "div",
      { class: "version-what" },
      h("a", { class: "version-title", href: href(["versions", v.commit]) }, v.subject || "(no subject)"),
      h(
        "p",
        { class: "quiet" },
        h("code", { title: v.commit }, short(v.commit)),
        " · ",
        v.author.name,
        " · ",
        time(v.judged),
        people(v).map((text) => [" · ", text]),
        (v.tags ?? []).map((name) => [" ", tag(name)]),
      ),
      v.uncertain && h("p", { class: "quiet" }, "Its record is shortened: it may not be about this path."),
      undone && h("p", { class: "lineage" }, icon("back"), h("span", {}, sentence(undone))),
      effectList(effects(v.environments)),
    ),
    h(
      "ul",
      { class: "fates" },
      fates(v.environments).map((f) => h("li", {}, badge({ ...f.mark, text: fateText(f) }))),
    ),
  );
}

/** Effects on those who are in something, each with its environments. more adds to one. */
export function effectList(list, more = () => null) {
  if (list.length === 0) return null;
  return h(
    "ul",
    { class: "effects" },
    list.map((e) => h("li", {}, e.text, h("span", { class: "quiet" }, ` in ${names(e.environments)}`), more(e))),
  );
}

/** What a version takes back; the same in all environments but for those it was rejected in. */
export function lineageOf(v) {
  return Object.values(v.environments).find((e) => e.lineage)?.lineage;
}

export function tag(name) {
  return h("span", { class: "tag" }, icon("tag"), h("span", { class: "unseen" }, "Tag "), name);
}
