// Values of an environment: searched, listed or as a tree, with who changed each of them.
import { get, post } from "../api.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { patternOf, tree, widened, withoutItems } from "../paths.js";
import { changer, choice, commit, empty, field, held, load, offer, table, value, valueLink } from "../parts.js";
import { href } from "../route.js";
import { basis } from "../words.js";
import { suggestVersions } from "./suggest.js";

const page = 100; // values at a time

export function open(app) {
  const env = choice("env", []);
  const pattern = h("input", {
    name: "pattern",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "checkout, or **.timeout",
    maxlength: 500,
  });
  const text = h("input", { name: "text", type: "search", autocomplete: "off", spellcheck: "false", maxlength: 200 });
  const at = h("input", {
    name: "at",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "what is live",
    maxlength: 200,
  });
  const view = choice("view", [
    ["", "List"],
    ["tree", "Tree"],
  ]);
  const who = h("input", { name: "who", type: "checkbox", value: "yes", id: "field-who" });
  const form = h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Search values",
      onsubmit: submit,
      onchange: (event) => event.target.matches("select, [type=checkbox]") && submit(event),
    },
    field("Environment", env),
    field("Path", pattern, "* is one segment, ** any number"),
    field("Text in the value", text),
    field("Version", at, "A commit, a tag or a time"),
    field("Show as", view),
    h("div", { class: "field check" }, who, h("label", { for: "field-who" }, "Who changed it")),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Search"), h("a", { href: href(["values"]) }, "Clear")),
  );
  suggestVersions(app, at);
  const results = h("div", { class: "results" });
  let query = {};
  let signal = null;
  let shown = new Map(); // path → value as JSON, to mark what changes while one looks

  function submit(event) {
    event.preventDefault();
    app.go(["values"], held(form));
  }

  async function draw(keep) {
    const before = keep ? shown : null;
    await load(results, signal, async () => {
      const found = await search(query, signal);
      const blame = query.who ? await changers(found.pattern, query, signal) : null;
      shown = new Map(found.matches.map((m) => [m.path, JSON.stringify(m.value)]));
      const fresh = (path) => before !== null && before.get(path) !== shown.get(path);
      return [summary(found, query), found.matches.length ? body(app, found, query, blame, fresh) : nothing(query), pager(found, query)];
    });
  }

  return {
    title: "Values",
    node: h("div", {}, h("h1", {}, "Values"), form, results),
    show(wanted, turn) {
      const names = Object.keys(app.status.environments).sort();
      query = { ...wanted, env: names.includes(wanted.env) ? wanted.env : (wanted.env ?? names[0]) };
      signal = turn;
      offer(env, query.env && !names.includes(query.env) ? [...names, query.env] : names, query.env);
      pattern.value = query.pattern ?? "";
      text.value = query.text ?? "";
      at.value = query.at ?? "";
      view.value = query.view ?? "";
      who.checked = query.who === "yes";
      if (!query.env)
        return void results.replaceChildren(empty("No environment is served yet.", "The overview says what the server waits for."));
      return draw(false);
    },
    changed(before) {
      const was = before.environments[query.env]?.live?.commit;
      if (!query.at && was !== app.status.environments[query.env]?.live?.commit) return draw(true);
    },
  };
}

// A map is shown by what is in it; what the reader may not see is neither map nor anything else.
const leaves = { any: [{ not: { type: "map" } }, { type: "redacted" }, { eq: {} }] };

function condition(text) {
  if (!text) return leaves;
  const means = [{ contains: text, ignoreCase: true }];
  try {
    const literal = JSON.parse(text);
    if (typeof literal !== "string") means.push({ eq: literal }, { contains: literal });
  } catch {
    // a text like any other
  }
  return { all: [leaves, { any: means }] };
}

/** Asks once, and where a plain word is no path once more for that word anywhere. */
async function search(query, signal) {
  const ask = async (pattern) => {
    const asked = { pattern, where: condition(query.text), limit: page, after: query.after };
    const { body, commit: name, basis: by } = await post("query", { env: query.env, at: query.at }, asked, signal);
    return { ...body, matches: withoutItems(body.matches), commit: name, basis: by, pattern };
  };
  const found = await ask(patternOf(query.pattern ?? ""));
  const wider = widened(query.pattern ?? "");
  if (found.matches.length || found.truncated || query.after || !wider) return found;
  return { ...(await ask(wider)), widened: true };
}

async function changers(pattern, query, signal) {
  const { body } = await get(`blame/${encodeURIComponent(pattern)}`, { env: query.env, at: query.at }, signal);
  return new Map(body.entries.map((e) => [e.path, e]));
}

function summary(found, query) {
  const many = found.truncated ? `The first ${plural(found.matches.length, "value")}` : plural(found.matches.length, "value");
  return h(
    "p",
    { class: "summary", role: "status" },
    query.after ? `${plural(found.matches.length, "more value")}` : many,
    ` of ${query.env} `,
    query.at ? "as of " : "as live with ",
    commit(found.commit),
    query.at && basis(found.basis) && `, ${basis(found.basis)}`,
    found.widened && `. Nothing begins at “${query.pattern}”, so these are all paths with it.`,
  );
}

function body(app, found, query, blame, fresh) {
  const link = { env: query.env, at: query.at };
  if (query.view === "tree") return h("div", { class: "panel" }, branches(tree(found.matches), link, blame, fresh));
  const columns = ["Path", "Value", ...(blame ? ["Changed by"] : [])];
  return table(`Values of ${query.env}`, columns, found.matches, (m) => row(m, link, blame, fresh(m.path)));
}

function row({ path, value: v }, link, blame, fresh) {
  return h(
    "tr",
    { class: fresh && "fresh" },
    h("th", { scope: "row", class: "wide" }, valueLink(path, link)),
    h("td", {}, value(v), fresh && mark()),
    blame && h("td", {}, changer(blame.get(path))),
  );
}

function mark() {
  return h("span", { class: "fresh-mark" }, "just changed");
}

function branches(root, link, blame, fresh) {
  return h(
    "ul",
    { class: "tree", "aria-label": "Values as a tree" },
    [...root.members].map(([label, node]) => branch(label, node, link, blame, fresh)),
  );
}

function branch(label, node, link, blame, fresh) {
  if (node.members.size > 0) {
    return h("li", {}, h("details", { open: true }, h("summary", {}, h("code", {}, label)), branches(node, link, blame, fresh)));
  }
  const { path, value: v } = node.match;
  const changed = fresh(path);
  return h(
    "li",
    { class: changed && "fresh" },
    h("a", { class: "path", href: href(["value"], { ...link, path }) }, label),
    h("span", { class: "colon" }, ": "),
    value(v),
    changed && mark(),
    blame && h("span", { class: "tree-who" }, changer(blame.get(path))),
  );
}

function nothing(query) {
  if (query.after) return empty("There are no more values.");
  if (query.text)
    return empty(
      "No value holds that text.",
      "Sensitive values are not searched. Text finds parts of texts and whole numbers; case does not matter.",
    );
  if (query.pattern)
    return empty(
      "There is nothing under this path.",
      "database.* are the children of database, **.timeout is every timeout. It may also be that your credential does not cover it.",
    );
  return empty("This environment has no values that your credential shows.");
}

function pager(found, query) {
  const { after, ...rest } = query;
  if (!after && !found.truncated) return null;
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages of values" },
    after && h("a", { href: href(["values"], rest) }, "First"),
    found.truncated && h("a", { href: href(["values"], { ...rest, after: found.after }) }, "More"),
  );
}
