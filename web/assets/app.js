// The page: which view is shown, and what goes on around it.
import { fill, h, icon } from "./dom.js";
import { forge, shown } from "./links.js";
import { fingerprint, news } from "./news.js";
import { outward, refusal } from "./parts.js";
import { href, parse } from "./route.js";
import { theme, token } from "./store.js";
import { tick, watch } from "./watch.js";
import * as audit from "./views/audit.js";
import * as compare from "./views/compare.js";
import * as overview from "./views/overview.js";
import * as tokens from "./views/token.js";
import * as value from "./views/value.js";
import * as values from "./views/values.js";
import * as version from "./views/version.js";
import * as versions from "./views/versions.js";

const main = document.getElementById("main");

/**
 * What views know: the last answer of /v1/status, and the forge its repository is on. A view's open(app, part) returns
 * {title, node, show(query, signal)}: show is called at once and whenever the query in the address changes, and puts an end to the
 * show before. changed(before), if there is one, is called when the status differs from before; pulse at each answer.
 */
const app = {
  status: null,
  forge: null,
  go(parts, query) {
    location.hash = href(parts, query);
  },
  signedIn() {
    if (location.hash.startsWith("#/token")) app.go([]);
    fill(document.getElementById("credential"), token.get() ? "Token in use" : "Token");
    app.status = null;
    watching.again();
  },
};

let view = null; // what is shown: {key, turn, …what open returned}
let failure = null; // the error that the last look at the status ended with

function viewOf(parts) {
  const [name = "", part] = parts;
  if (name === "versions" && part) return version;
  return { "": overview, versions, values, value, compare, audit, token: tokens }[name] ?? null;
}

function route() {
  const { parts, query } = parse(location.hash);
  const locked = failure?.status === 401;
  const chosen = locked ? tokens : viewOf(parts);
  const key = locked ? `locked ${failure.code} ${token.get() !== null}` : parts.join("/");
  mark(parts[0] ?? "");
  if (!chosen) return open("nothing", nothing());
  if (!app.status && !locked && chosen !== tokens)
    return failure && open("failure", { title: "Not reachable", node: h("div", {}, h("h1", {}, "Not reachable"), refusal(failure)) });
  if (view?.key !== key) open(key, chosen.open(app, locked ? failure : parts[1]));
  view.turn?.abort();
  view.turn = new AbortController();
  const place = history.state?.y;
  Promise.resolve(view.show?.(query, view.turn.signal))
    .then(() => place !== undefined && scrollTo(0, place))
    .catch((error) => broken(error));
}

/** Keeps with each step of the browser's history how far it was scrolled, because what is shown comes only after the step back. */
function keepPlaces() {
  let timer = null;
  history.scrollRestoration = "manual";
  addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState({ y: scrollY }, ""), 100);
  });
  addEventListener("hashchange", () => clearTimeout(timer));
}

/** Shows a view. Whoever navigated is taken to its heading; whoever has just come begins at the top. */
function open(key, opened) {
  const first = view === null;
  view?.turn?.abort();
  view = { key, ...opened };
  document.title = `${view.title} · Trunkline`;
  main.replaceChildren(view.node);
  if (first) return;
  scrollTo(0, 0);
  const heading = main.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

function nothing() {
  return {
    title: "Nothing here",
    node: h("div", {}, h("h1", {}, "There is nothing here"), h("p", {}, "Begin with the ", h("a", { href: "#/" }, "overview"), ".")),
  };
}

function broken(error) {
  if (error?.name === "AbortError") return;
  console.error(error);
  fill(
    main,
    h("h1", {}, "This page has made a mistake"),
    h("p", {}, "Reload it. If that does not help, please report: ", h("code", {}, String(error))),
  );
}

function mark(name) {
  for (const link of document.querySelectorAll("nav.views a")) {
    if (link.dataset.view.split(" ").includes(name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function looked(status, error) {
  const before = app.status;
  const wasFailing = failure !== null;
  failure = error;
  connection();
  if (error) {
    if (error.status === 401 || !app.status) route();
    return;
  }
  app.status = status;
  app.forge = forge(status.server.repo);
  if (!before || wasFailing) {
    about();
    return route();
  }
  view.pulse?.();
  if (fingerprint(before) === fingerprint(status)) return;
  news(before, status).forEach(tell);
  Promise.resolve(view.changed?.(before)).catch((e) => broken(e));
}

function connection() {
  const element = document.getElementById("connection");
  const [tone, text] = failure ? ["bad", failure.status === 401 ? "Signed out" : "Not reachable"] : ["good", "Connected"];
  if (element.textContent !== text) fill(element, h("span", { class: `connection-mark ${tone}` }, icon(failure ? "alert" : "check")), text);
}

/** What the server follows, and which program it is. */
function about() {
  const { repo, branch, path, version: program } = app.status.server;
  fill(
    document.getElementById("about"),
    `Trunkline ${program}`,
    repo && [
      " follows ",
      outward(app.forge?.base, shown(repo)) ?? h("code", {}, shown(repo)),
      ` at ${branch}${path ? `, in ${path}` : ""}`,
    ],
    ". This page only reads.",
  );
}

const told = 8000; // milliseconds that news stay
const most = 3; // news at a time

function tell(text) {
  const list = document.getElementById("news");
  const item = h("p", {}, text);
  list.append(item);
  while (list.childElementCount > most) list.firstElementChild.remove();
  setTimeout(() => item.remove(), told);
}

function chooseTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

function begin() {
  const select = document.getElementById("theme");
  select.value = document.documentElement.dataset.theme ?? "";
  select.addEventListener("change", () => {
    theme.set(select.value || null);
    chooseTheme(select.value);
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  fill(document.getElementById("credential"), token.get() ? "Token in use" : "Token");
  keepPlaces();
  addEventListener("hashchange", route);
  tick();
}

begin();
const watching = watch(looked);
