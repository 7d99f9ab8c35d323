// Versions to choose from where one is to be named: the recent ones, and their tags.
import { get } from "../api.js";
import { h } from "../dom.js";
import { short } from "../format.js";

const most = 20;
let lists = 0;

/** Lets an input suggest versions once it is used. */
export function suggestVersions(app, input) {
  const list = h("datalist", { id: `versions-${++lists}` });
  input.setAttribute("list", list.id);
  input.after(list);
  input.addEventListener("focus", async () => {
    if (!app.status.look) return; // without the right history there is nothing to suggest
    try {
      const { body } = await get("versions", { limit: most });
      const tags = body.versions.flatMap((v) => (v.tags ?? []).map((name) => option(name, v)));
      list.replaceChildren(...tags, ...body.versions.map((v) => option(short(v.commit), v)));
    } catch {
      // it can be written without help
    }
  });
}

function option(name, version) {
  return h("option", { value: name }, `${short(version.commit)} ${version.subject}`);
}
