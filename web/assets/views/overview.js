// What each environment serves, and what keeps newer commits out.
import { get } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { count, plural } from "../format.js";
import { badge, command, commit, empty, facts, forgeLink, lasting, load, notice, problems, table, time } from "../parts.js";
import { href } from "../route.js";
import { cause, sessions, stateOf } from "../words.js";
import { entry } from "./versions.js";

const recent = 5; // versions below the environments

export function open(app) {
  const notices = h("div", {});
  const cards = h("div", { class: "cards" });
  const following = h("div", {});
  const latest = h("div", {});
  const latestPart = h("section", { "aria-labelledby": "latest" }, h("h2", { id: "latest" }, "Recent versions"), latest);
  const node = h(
    "div",
    {},
    h("h1", {}, "Overview"),
    notices,
    h("section", { "aria-label": "Environments" }, cards),
    latestPart,
    h("section", { "aria-labelledby": "following" }, h("h2", { id: "following" }, "Server"), following),
  );
  let signal = null;

  function draw() {
    fill(notices, noticesOf(app.status));
    fill(cards, environments(app));
    fill(following, server(app));
  }

  async function newest() {
    latestPart.hidden = !app.status.look;
    if (latestPart.hidden) return;
    await load(latest, signal, async () => {
      const { body } = await get("versions", { limit: recent }, signal);
      if (body.versions.length === 0) return empty("No version has been judged yet.");
      return [
        h(
          "ol",
          { class: "versions" },
          body.versions.map((v) => entry(v)),
        ),
        h("p", {}, h("a", { href: href(["versions"]) }, "All versions")),
      ];
    });
  }

  return {
    title: "Overview",
    node,
    show(_query, turn) {
      signal = turn;
      draw();
      return newest();
    },
    changed() {
      draw();
      return newest();
    },
    pulse() {
      const looked = following.querySelector("time.looked");
      if (looked && app.status.look?.last) looked.dateTime = app.status.look.last;
    },
  };
}

function noticesOf({ look, log, refused, environments }) {
  return [
    refused && notice("bad", "The branch was rewritten, and is not followed. What is live stays live.", refused.reason),
    look?.error &&
      notice(
        "bad",
        `The last ${look.failures === 1 ? "look" : plural(look.failures, "look")} at the repository failed. What is live stays live.`,
        look.error,
      ),
    log?.behindSince &&
      notice(
        "warn",
        `${plural(log.pending, "record")} wait for the audit log.`,
        "Changes go live, unless the server is set to require the log. Its own log says why.",
      ),
    !look &&
      Object.keys(environments).length > 0 &&
      notice("plain", "Your credential does not include the right history.", "So authors, problems and past versions are not shown."),
  ];
}

function environments(app) {
  const names = Object.keys(app.status.environments).sort();
  if (names.length > 0) return names.map((name) => card(app, name, app.status.environments[name]));
  if (!app.status.look) return empty("Your credential is for no environment that is served.", "Ask an operator for one that is.");
  return empty(
    "Nothing is served yet.",
    app.status.look.error
      ? "The repository could not be read; see above."
      : "Push a commit with values under config/ to the branch that is followed:",
    !app.status.look.error &&
      command("mkdir config && echo 'greeting: hello' > config/app.yaml\ngit add config && git commit -m 'Begin' && git push"),
  );
}

function card(app, name, env) {
  const id = `env-${name}`;
  return h(
    "article",
    { class: "card", "aria-labelledby": id },
    h("header", { class: "card-head" }, h("h2", { id }, name), h("span", { class: "badges" }, stateOf(env, app.status).map(badge))),
    env.live ? live(env.live) : h("p", { class: "quiet live" }, "No valid version has come yet."),
    h("footer", { class: "card-foot" }, links(name, env)),
    [env.pin && pinned(env.pin), (env.stops ?? []).map(stopped), env.blocked && blocked(app, env.blocked), env.pending && pending(env.pending)],
  );
}

function links(name, env) {
  return [
    h("a", { href: href(["values"], { env: name }) }, "Values", h("span", { class: "unseen" }, ` of ${name}`)),
    h("a", { href: href(["versions"], { env: name }) }, "Versions", h("span", { class: "unseen" }, ` in ${name}`)),
    env.live?.rollbackOf && h("a", { href: href(["compare"], { env: name, from: env.live.rollbackOf }) }, "Compare with what it restores"),
    env.pin?.newest &&
      h("a", { href: href(["compare"], { env: name, from: env.pin.commit, to: env.pin.newest }) }, "What the pin keeps out"),
  ];
}

function live(version) {
  return h(
    "div",
    { class: "live" },
    h("p", { class: "live-head" }, commit(version.commit), version.subject && h("strong", {}, version.subject)),
    h(
      "p",
      { class: "quiet" },
      version.author && [version.author.name, " · "],
      "went live ",
      time(version.since),
      version.cause && [" ", cause(version.cause)],
      version.rollbackOf && [" to ", commit(version.rollbackOf)],
    ),
  );
}

function pinned(pin) {
  return h(
    "section",
    { class: "aside warn", "aria-label": "Pin" },
    h("h3", {}, icon("pin"), "Held at ", commit(pin.commit)),
    pin.reason && h("p", {}, `“${pin.reason}”`),
    facts([
      ["By", pin.by],
      ["Since", time(pin.since)],
      ["Until", pin.expires ? time(pin.expires) : "it is taken off"],
      ["Waiting", pin.newest ? commit(pin.newest) : null],
    ]),
  );
}

function stopped(stop) {
  return h(
    "section",
    { class: "aside warn", "aria-label": `Stopped: ${stop.key}` },
    h("h3", {}, icon("hand"), `Stopped: ${stop.kind} ${stop.key}`),
    stop.reason && h("p", {}, `“${stop.reason}”`),
    facts([
      ["By", stop.by],
      ["Since", time(stop.since)],
    ]),
    h("p", { class: "hint" }, icon("more"), "Everybody gets what is configured, until its file changes or an operator resumes it."),
  );
}

function blocked(app, b) {
  return h(
    "section",
    { class: "aside bad", "aria-label": "Rejected commit" },
    h("h3", {}, icon("cross"), "Rejected: ", commit(b.commit)),
    h("p", {}, h("strong", {}, b.subject)),
    h("p", { class: "quiet" }, b.author.name, " · blocked for ", lasting(b.since)),
    b.problems?.length > 0 && problems(app, b.problems, b.commit),
    h("p", { class: "hint" }, icon("more"), "Push a mended commit, or a revert. What is live stays until then."),
  );
}

function pending(p) {
  return h(
    "section",
    { class: "aside warn", "aria-label": "Commit without a verdict" },
    h("h3", {}, icon("clock"), "Waiting: ", commit(p.commit)),
    h("p", {}, h("strong", {}, p.subject)),
    h("p", { class: "quiet" }, p.author.name, " · no verdict for ", lasting(p.since)),
    p.for && h("p", {}, p.for),
  );
}

function server(app) {
  const { server: s, look, log, judged } = app.status;
  const total = app.status.sessions;
  const connected = sessions(app.status.environments);
  return [
    facts([
      [
        "Last look at the repository",
        look?.last ? h("time", { class: "looked", datetime: look.last, "data-ago": true }, "just now") : null,
      ],
      ["Head of the branch", look?.head ? [commit(look.head), " ", forgeLink(app, look.head)] : null],
      ["Judged up to", commit(judged)],
      ["Audit log", log ? (log.pending ? `${plural(log.pending, "record")} wait` : "all records stored") : null],
      ["Connected clients", typeof total === "number" ? count(total) : null],
      ["Running since", time(s.started)],
    ]),
    connected.length > 0 &&
      table("Connected clients by version", ["Environment", "Version", "Use it", "Have not answered", "Could not use it"], connected, (v) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, v.env),
          h("td", {}, commit(v.commit)),
          [v.sessions, v.pending, v.rejected].map((n) => h("td", { class: "number" }, count(n))),
        ),
      ),
  ];
}
