// One version: what became of it, and what it changes.
import { get } from "../api.js";
import { h, icon, scrollable } from "../dom.js";
import { plural, short } from "../format.js";
import { badge, choice, command, commit, empty, facts, field, forgeLink, load, offer, problems, sentence, source, table, time } from "../parts.js";
import { href } from "../route.js";
import { effects, lineage, people, pinCommand, verdict } from "../words.js";
import { changeTable } from "./compare.js";
import { effectList, tag } from "./versions.js";

export function open(app, name) {
  const heading = h("h1", {}, `Version ${short(name)}`);
  const about = h("div", {});
  const env = choice("env", []);
  env.addEventListener("change", () => app.go(["versions", name], { env: env.value }));
  const changes = h("div", { class: "results" });
  const changesPart = h(
    "section",
    { "aria-labelledby": "changes", hidden: true },
    h("h2", { id: "changes" }, "Changes"),
    h("div", { class: "filters" }, field("Environment", env)),
    changes,
  );
  let records = null;

  async function read(signal) {
    const { body } = await get("audit", { commit: name, kind: "commit", limit: 200 }, signal);
    records = newest(body.entries.map((e) => e.record));
    return records.length ? describe(app, records) : unknown(name);
  }

  async function draw(chosen, signal) {
    if (!(await load(about, signal, () => read(signal)))) return;
    changesPart.hidden = records.length === 0;
    if (records.length === 0) return;
    heading.textContent = records[0].subject || `Version ${short(name)}`;
    document.title = `${heading.textContent} · Trunkline`;
    const names = records.map((r) => r.environment);
    offer(env, names, names.includes(chosen) ? chosen : names[0]);
    await load(changes, signal, () =>
      changesOf(
        app,
        records.find((r) => r.environment === env.value),
        signal,
      ),
    );
  }

  let query = {};
  let turn = null;
  return {
    title: `Version ${short(name)}`,
    node: h(
      "div",
      {},
      h(
        "nav",
        { class: "crumbs", "aria-label": "Where this is" },
        h(
          "ol",
          {},
          h("li", {}, h("a", { href: href(["versions"]) }, "Versions")),
          h("li", {}, h("span", { "aria-current": "true" }, short(name))),
        ),
      ),
      heading,
      about,
      changesPart,
    ),
    show(wanted, signal) {
      [query, turn] = [wanted, signal];
      return draw(query.env, signal);
    },
    changed() {
      return draw(query.env, turn);
    },
  };
}

/** The newest record of each environment: one that was pending has several. */
function newest(records) {
  const seen = new Set();
  return records
    .filter((r) => !seen.has(r.environment) && seen.add(r.environment))
    .sort((a, b) => (a.environment < b.environment ? -1 : 1));
}

function unknown(name) {
  return empty(
    "No record tells of this version.",
    "It may be older than the log, of another branch, or your credential does not show what it changes.",
    h("p", {}, h("code", {}, name)),
  );
}

function describe(app, records) {
  const [r] = records;
  const undone = lineage(records.find((x) => x.lineage)?.lineage, records.find((x) => x.rollbackOf)?.rollbackOf);
  const done = effects(Object.fromEntries(records.map((x) => [x.environment, x])));
  const found = unique(records.flatMap((x) => x.problems ?? []));
  return [
    undone && h("p", { class: "lineage" }, icon("back"), h("span", {}, sentence(undone))),
    facts([
      ["Commit", h("code", {}, r.commit)],
      [
        "Author",
        h(
          "span",
          {},
          r.author.name,
          r.author.email && h("span", { class: "quiet" }, ` ${r.author.email}`),
          r.signer ? null : h("span", { class: "quiet" }, " (claimed by the commit)"),
        ),
      ],
      [
        "Signed by",
        r.signer
          ? [icon("check"), ` ${r.signer.principal} `, h("span", { class: "quiet" }, `(${r.signer.kind} ${r.signer.fingerprint})`)]
          : null,
      ],
      ["Others", people({ coAuthors: r.coAuthors, merged: r.merged }).join(", ")],
      ["Committed", time(r.committed)],
      ["Judged", time(r.at)],
      ["Tags", r.tags?.length ? r.tags.map(tag) : null],
      ["Forge", forgeLink(app, r.commit)],
    ]),
    r.message &&
      r.message.trim() !== r.subject &&
      h(
        "details",
        { class: "message" },
        h("summary", {}, "Whole message"),
        scrollable(h("pre", { class: "block", role: "group", "aria-label": "Message" }, r.message)),
      ),
    h("h2", {}, "Verdicts"),
    table("Verdicts by environment", ["Environment", "Verdict", "Judged against", "Changes"], records, (x) => verdictRow(app, x)),
    done.length > 0 && [h("h2", {}, "Rollouts and experiments"), effectList(done, (e) => [" ", source(app, e.place, r.commit)])],
    found.length > 0 && [h("h2", {}, "Problems"), problems(app, found, r.commit)],
    records
      .filter((x) => x.verdict === "valid")
      .slice(0, 1)
      .map(further),
  ];
}

/** Where to go on from a version that is valid in an environment. */
function further({ commit: name, environment: env }) {
  return [
    h(
      "p",
      { class: "links" },
      h("a", { href: href(["values"], { at: name, env }) }, "Values at this version"),
      h("a", { href: href(["compare"], { env, from: name }) }, "Compare with what is live"),
    ),
    h(
      "details",
      {},
      h("summary", {}, "How to go back to it"),
      h("p", {}, "At once, whatever is pushed meanwhile:"),
      command(pinCommand(env, name)),
      h("p", {}, "For good: push a commit that reverts what came after it."),
    ),
  ];
}

function unique(list) {
  const seen = new Set();
  return list.filter((p) => {
    const key = JSON.stringify([p.file, p.line, p.column, p.path, p.rule, p.message]);
    return !seen.has(key) && seen.add(key);
  });
}

function verdictRow(app, r) {
  const live = app.status.environments[r.environment]?.live?.commit === r.commit;
  const waiting = r.waiting && h("span", { class: "quiet" }, ` ${r.waiting}`);
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, r.environment),
    h(
      "td",
      {},
      badge(verdict(r.verdict, live ? "live" : r.outcome)),
      waiting,
      r.accepted && h("span", { class: "quiet" }, " accepted by an operator"),
    ),
    h("td", {}, r.baseline ? commit(r.baseline) : h("span", { class: "quiet" }, "nothing: judging begins here")),
    h(
      "td",
      { class: "number" },
      r.verdict === "valid" ? plural(r.changesTotal ?? 0, "value") : h("span", { class: "quiet" }, "not counted"),
    ),
  );
}

const early = ["tree", "decode", "merge", "schemas"]; // stages without which there are no values

function unfit({ verdict: name, problems: found = [] }) {
  return name === "rejected" && found.some((p) => p.severity === "error" && early.includes(p.stage));
}

async function changesOf(app, record, signal) {
  if (!record.baseline) return empty("There is nothing to compare with: judging begins at this version.");
  if (record.verdict === "valid" && !record.changesTotal)
    return empty(
      `No value of ${record.environment} is different.`,
      record.effects?.length
        ? "The commit changes who gets what; see above."
        : "The commit changes other environments, or nothing but comments and layout.",
    );
  if (unfit(record))
    return empty(
      `It has no values in ${record.environment}.`,
      "It does not compile there, or does not fit its schemas; see the problems above.",
    );
  const { body } = await get("diff", { from: record.baseline, to: record.commit, env: record.environment }, signal);
  return changeTable(app, body, `Changes in ${record.environment}`);
}
