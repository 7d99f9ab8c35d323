// One value: what it is, how it came about layer by layer, who made it so, and how it differs elsewhere.
import { get } from "../api.js";
import { h, icon } from "../dom.js";
import { names, plural } from "../format.js";
import {
  block,
  changer,
  choice,
  command,
  commit,
  crumbs,
  empty,
  facts,
  field,
  forgeLink,
  load,
  offer,
  source,
  table,
  time,
  value,
  valueLink,
} from "../parts.js";
import { href } from "../route.js";
import { basis, layerOperation, people } from "../words.js";
import { matrixTable } from "./compare.js";
import { entry } from "./versions.js";

const versionsShown = 5;

export function open(app) {
  const top = h("div", {});
  const heading = h("h1", { class: "path" }, "Value");
  const env = choice("env", []);
  env.addEventListener("change", () => app.go(["value"], { ...query, env: env.value }));
  const parts = {
    value: section("now", "Value"),
    steps: section("steps", "How it came about"),
    origin: section("origin", "Who made it so"),
    others: section("others", "In other environments"),
    versions: section("versions", "Versions that changed it"),
  };
  let query = {};
  let signal = null;

  async function draw() {
    const names = Object.keys(app.status.environments).sort();
    heading.textContent = query.path;
    document.title = `${heading.textContent} · Trunkline`;
    top.replaceChildren(crumbs(query.path, { env: query.env, at: query.at }));
    offer(env, names, query.env);
    const turn = signal;
    const there = await load(parts.value.region, turn, () => current(query, turn));
    if (turn.aborted) return;
    const further = Object.entries({ steps: explained, origin: blamed, others: elsewhere, versions: changedBy });
    for (const [name] of further) parts[name].node.hidden = !there;
    if (there) await Promise.all(further.map(([name, make]) => load(parts[name].region, turn, () => make(app, query, turn))));
  }

  return {
    title: "Value",
    node: h(
      "div",
      {},
      top,
      heading,
      h("div", { class: "filters" }, field("Environment", env)),
      Object.values(parts).map((p) => p.node),
    ),
    show(wanted, turn) {
      const names = Object.keys(app.status.environments).sort();
      if (!wanted.path) return app.go(["values"]);
      query = { ...wanted, env: wanted.env ?? names[0] };
      signal = turn;
      return draw();
    },
    changed(before) {
      if (!query.at && before.environments[query.env]?.live?.commit !== app.status.environments[query.env]?.live?.commit) return draw();
    },
  };
}

function section(id, title) {
  const region = h("div", { class: "results" });
  return { region, node: h("section", { "aria-labelledby": `part-${id}` }, h("h2", { id: `part-${id}` }, title), region) };
}

const asPath = (query) => encodeURIComponent(query.path);
const asked = ({ env, at }) => ({ env, at });

async function current(query, signal) {
  const { body, commit: name, basis: by } = await get(`config/${asPath(query)}`, asked(query), signal);
  return [
    block(body),
    h(
      "p",
      { class: "quiet" },
      query.at ? "As of " : "As live with ",
      commit(name),
      query.at && basis(by) && `, ${basis(by)}`,
      query.at && [" · ", h("a", { href: href(["value"], { path: query.path, env: query.env }) }, "what is live")],
    ),
  ];
}

async function explained(app, query, signal) {
  const { body } = await get(`explain/${asPath(query)}`, asked(query), signal);
  if (body.steps.length === 0) return empty("No layer says anything about it.");
  const layers = table(
    `Layers of ${query.path} in ${query.env}, the lowest first`,
    ["Layer", "What it does", "Value", "Where", "Changed by"],
    body.steps,
    (s) => step(app, s, body.at.commit),
  );
  return body.owners?.length ? [layers, owned(query, body.owners)] : layers;
}

/** Who sets the value for some. */
function owned({ path, env }, owners) {
  return [
    h(
      "p",
      { class: "hint owners" },
      icon("more"),
      `Some may get another value: it is set by ${names(owners.map((o) => `the ${o.kind} ${o.key}`))}. What somebody gets, and why:`,
    ),
    command(`trunkline explain '${path.replaceAll("'", "'\\''")}' --env ${env} --context targetingKey=u1`),
  ];
}

function step(app, s, name) {
  const layer = s.environment ? s.environment : "base";
  return h(
    "tr",
    { class: !s.effective && "shadowed" },
    h("th", { scope: "row" }, layer, h("span", { class: "quiet" }, ` ${s.folder}`)),
    h(
      "td",
      {},
      s.effective
        ? h("span", { class: "in-effect" }, icon("check"), ` ${layerOperation(s.op)}`)
        : `${layerOperation(s.op)}, but a later layer overrides it`,
    ),
    h("td", {}, "value" in s ? value(s.value) : h("span", { class: "quiet" }, "none")),
    h("td", {}, source(app, s, name)),
    h("td", {}, changer(s.change)),
  );
}

async function blamed(app, query, signal) {
  const { body } = await get(`blame/${asPath(query)}`, asked(query), signal);
  if (body.entries.length === 0) return empty("Nobody can be named for it.", "Its history may be older than what the server keeps.");
  if (body.entries.length > 1) return members(app, body, query);
  const [e] = body.entries;
  return facts([
    ["Commit", [commit(e.commit, e.subject), e.older && " or before"]],
    ["Author", h("span", {}, e.author.name, h("span", { class: "quiet" }, ` ${e.author.email}`))],
    ["Others", people(e).join(", ")],
    ["Committed", time(e.committed)],
    ["Stands in", source(app, e, body.at.commit)],
    ["Forge", forgeLink(app, e.commit)],
  ]);
}

/** Who made what a map holds. */
function members(app, body, query) {
  const link = { env: query.env, at: query.at };
  const row = (e) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "wide" }, valueLink(e.path, link)),
      h("td", {}, changer(e)),
      h("td", {}, source(app, e, body.at.commit)),
    );
  return [
    body.truncated && h("p", { class: "summary" }, `The first ${body.entries.length} of ${plural(body.total, "value")}.`),
    table(`Who made each value of ${query.path}`, ["Path", "Changed by", "Where"], body.entries, row),
  ];
}

async function elsewhere(app, query, signal) {
  if (Object.keys(app.status.environments).length < 2) return empty("There is only one environment.");
  const { body } = await get("matrix", { at: query.at, path: `${query.path}.**` }, signal);
  if (body.paths.length === 0) return h("p", {}, icon("check"), ` The same in ${body.environments.join(", ")}.`);
  const [differs] = body.paths;
  if (differs.path !== query.path) return matrixTable(body, query);
  return table(`${query.path} by environment`, ["Environment", "Value"], body.environments, (name) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: href(["value"], { ...query, env: name }) }, name)),
      h("td", {}, value(differs.values[name])),
    ),
  );
}

async function changedBy(_app, query, signal) {
  const wanted = { env: query.env, path: query.path + ".**", verdict: "valid" };
  const { body } = await get("versions", { ...wanted, limit: versionsShown }, signal);
  const all = body.next && h("p", {}, h("a", { href: href(["versions"], wanted) }, "All of them"));
  if (body.versions.length > 0)
    return [
      h(
        "ol",
        { class: "versions" },
        body.versions.map((v) => entry(v)),
      ),
      all,
    ];
  if (all) return [empty("None of the newest versions."), all];
  return empty("None that the log tells of.", "The value is as it was when judging began.");
}
