// Links to the forge that the config repo lives on. Only https addresses are made, and nothing of a user or password that the
// repository's address may hold.

const kinds = [
  { kind: "github", host: /^(www\.)?github\.com$|^github\./ },
  { kind: "gitlab", host: /^gitlab\./ },
  { kind: "gitea", host: /^(gitea|forgejo)\.|^codeberg\.org$/ },
  { kind: "bitbucket", host: /^bitbucket\.org$/ },
];

/** Takes a remote's address apart: {host, path}, or null for what is on no host, as a directory. */
function remote(repo) {
  const scp = /^(?:[^@/:]+@)?([A-Za-z0-9.-]+):(?!\/\/)([^:]+)$/.exec(repo);
  if (scp) return { host: scp[1], path: scp[2] };
  let url;
  try {
    url = new URL(repo);
  } catch {
    return null;
  }
  if (url.protocol === "https:") return { host: url.host, path: url.pathname };
  if (url.protocol === "ssh:") return { host: url.hostname, path: url.pathname };
  return null;
}

/** The forge of a repository, {kind, base}, or null where it is not known. */
export function forge(repo) {
  const at = remote(repo ?? "");
  if (!at) return null;
  const host = at.host.toLowerCase();
  const found = kinds.find((k) => k.host.test(host));
  const names = at.path
    .replace(/^\/+|\/+$/g, "")
    .replace(/\.git$/, "")
    .split("/");
  const plain = names.length >= 2 && names.every((name) => /^[\w.~-]+$/.test(name) && !/^\.+$/.test(name));
  return found && plain ? { kind: found.kind, base: `https://${host}/${names.join("/")}` } : null;
}

const commitPaths = { github: "/commit/", gitlab: "/-/commit/", gitea: "/commit/", bitbucket: "/commits/" };
const filePaths = { github: "/blob/", gitlab: "/-/blob/", gitea: "/src/commit/", bitbucket: "/src/" };

/** The forge's page of a commit, or null. */
export function commitLink(at, commit) {
  return at && /^[0-9a-f]{40}$/.test(commit ?? "") ? at.base + commitPaths[at.kind] + commit : null;
}

/** The forge's page of a file at a commit, or null. folder is the one that holds the config repo. */
export function fileLink(at, commit, folder, file, line) {
  if (!commitLink(at, commit) || !file) return null;
  const path = [folder, file].filter(Boolean).join("/").split("/").map(encodeURIComponent).join("/");
  const anchor = !line ? "" : at.kind === "bitbucket" ? `#lines-${line}` : `#L${line}`;
  return at.base + filePaths[at.kind] + commit + "/" + path + anchor;
}

/** A repository's address as it may be shown: without user, password and query. */
export function shown(repo) {
  return (repo ?? "").replace(/^([a-z+]+:\/\/)[^/@]*@/i, "$1").replace(/[?#].*$/, "");
}
