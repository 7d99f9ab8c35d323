// Two versions of an environment, two environments of a version, or all environments side by side.
import { get } from "../api.js";
import { h, icon } from "../dom.js";
import { plural, short } from "../format.js";
import { choice, commit, empty, field, held, load, notice, offer, source, table, value, valueLink } from "../parts.js";
import { basis, operation } from "../words.js";
import { suggestVersions } from "./suggest.js";
import { tag } from "./versions.js";

const modes = [
  ["versions", "Two versions"],
  ["environments", "Two environments"],
  ["matrix", "All environments"],
];

export function open(app) {
  const mode = choice("mode", modes);
  const env = choice("env", []);
  const other = choice("toEnv", []);
  const version = (name, placeholder) =>
    h("input", { name, type: "text", autocomplete: "off", spellcheck: "false", placeholder, maxlength: 200 });
  const [from, to, at] = [version("from", "v1.4, 4be2f1c or a time"), version("to", "what is live"), version("at", "what is live")];
  const path = h("input", {
    name: "path",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "everything",
    maxlength: 500,
  });
  const fields = {
    env: field("Environment", env),
    from: field("From version", from),
    to: field("To version", to),
    toEnv: field("With environment", other),
    at: field("At version", at),
  };
  const form = h(
    "form",
    { class: "filters", "aria-label": "What to compare", onsubmit: submit },
    field("Compare", mode),
    Object.values(fields),
    field("Path", path),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Compare")),
  );
  [from, to, at].forEach((input) => suggestVersions(app, input));
  mode.addEventListener("change", arrange);
  const results = h("div", { class: "results" });
  let query = {};
  let signal = null;

  /** Shows the fields that the mode has. The others are disabled too, so that they are no part of what is sent. */
  function arrange() {
    const wanted = { versions: ["env", "from", "to"], environments: ["env", "toEnv", "at"], matrix: ["at"] }[mode.value];
    for (const [name, node] of Object.entries(fields)) {
      node.hidden = !wanted.includes(name);
      node.querySelector("input, select").disabled = node.hidden;
    }
  }

  function submit(event) {
    event.preventDefault();
    app.go(["compare"], held(form));
  }

  function draw() {
    return load(results, signal, () => {
      if (mode.value === "matrix") return matrix(query, signal);
      if (mode.value === "environments") return environments(app, query, signal);
      return versions(app, query, signal);
    });
  }

  return {
    title: "Compare",
    node: h("div", {}, h("h1", {}, "Compare"), form, results),
    show(wanted, turn) {
      const names = Object.keys(app.status.environments).sort();
      [query, signal] = [wanted, turn];
      mode.value = modes.some(([name]) => name === query.mode) ? query.mode : query.toEnv ? "environments" : "versions";
      offer(env, names, query.env);
      offer(other, names, query.toEnv ?? names.find((name) => name !== env.value));
      from.value = query.from ?? "";
      to.value = query.to ?? "";
      at.value = query.at ?? "";
      path.value = query.path ?? "";
      arrange();
      return draw();
    },
    changed() {
      const fixed = mode.value === "versions" ? query.to || !query.from : query.at;
      if (!fixed) return draw();
    },
  };
}

async function versions(app, query, signal) {
  if (!query.from) return begin();
  const { body } = await get("diff", { env: query.env, from: query.from, to: query.to, path: query.path }, signal);
  return changeTable(app, body, `Differences in ${query.env ?? "the environment"}`);
}

async function environments(app, query, signal) {
  if (!query.toEnv) return begin();
  if (query.env === query.toEnv) return empty("These are the same environment.", "Choose two that differ.");
  const { body } = await get("diff", { env: query.env, toEnv: query.toEnv, at: query.at, path: query.path }, signal);
  return changeTable(app, body, `Differences between ${query.env} and ${query.toEnv}`);
}

function begin() {
  return empty(
    "Choose what to compare.",
    "A version is a commit, the beginning of one, a tag, or a time. An empty field stands for what is live.",
  );
}

async function matrix(query, signal) {
  const { body } = await get("matrix", { at: query.at, path: query.path }, signal);
  if (body.paths.length === 0) return empty("All environments are alike.", query.path ? "No value under this path differs." : "");
  return matrixTable(body, query);
}

/** What differs between environments, an environment a column. */
export function matrixTable(body, { at }) {
  const row = (p) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "wide" }, valueLink(p.path, { at })),
      body.environments.map((name) => h("td", {}, value(p.values[name]))),
    );
  const columns = body.environments.map((name, i) => [name, " ", h("code", { class: "quiet" }, short(body.commits[i]))]);
  return [
    summary(`${plural(body.total, "value")} ${body.total === 1 ? "differs" : "differ"} between environments`, body),
    body.unfit?.length > 0 && notice("warn", `Left out: ${body.unfit.join(", ")}.`, "The version does not compile for it."),
    table("Values that differ between environments", ["Path", ...columns], body.paths, row),
  ];
}

/** Says how many there are, and that not all are shown. */
function summary(text, { total, truncated, paths, changes }) {
  const shown = (paths ?? changes).length;
  const more = truncated || shown < total;
  return h("p", { class: "summary", role: "status" }, text, more && `. These are the first ${shown}; narrow the path to see the others.`);
}

/** The changes of a diff, by value. */
export function changeTable(app, body, caption) {
  const sides = h(
    "p",
    { class: "sides" },
    side(body.from, body.from.env),
    icon("more"),
    side(body.to, body.to.env !== body.from.env && body.to.env),
  );
  if (body.changes.length === 0) return [sides, empty("No value is different.")];
  return [
    sides,
    summary(plural(body.total, "difference"), body),
    table(caption, ["Path", "What", "Before", "After", "Where"], body.changes, (c) => change(app, c, body)),
  ];
}

function side({ commit: name, basis: by, tags }, env) {
  return h(
    "span",
    {},
    env && [h("strong", {}, env), " "],
    commit(name),
    basis(by) && h("span", { class: "quiet" }, ` ${basis(by)}`),
    (tags ?? []).map((t) => [" ", tag(t)]),
  );
}

const marks = { add: "plus", remove: "minus", replace: "pencil" };

function change(app, c, { from, to }) {
  const gone = c.op === "remove";
  return h(
    "tr",
    {},
    h("th", { scope: "row", class: "wide" }, valueLink(c.path, gone ? { env: from.env, at: from.commit } : { env: to.env, at: to.commit })),
    h("td", {}, h("span", { class: `operation ${c.op}` }, icon(marks[c.op] ?? "none"), operation(c.op))),
    h("td", {}, c.op === "add" ? null : value(c.old)),
    h("td", {}, gone ? null : value(c.new)),
    h("td", {}, gone ? source(app, c.oldPlace, from.commit) : source(app, c.newPlace, to.commit)),
  );
}
