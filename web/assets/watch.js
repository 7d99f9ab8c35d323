// Looks at /v1/status again and again: every two seconds while the page is seen, not at all while it is hidden, and ever more
// rarely while the server does not answer. It stops where the credential is not good.
import { get } from "./api.js";
import { ago, since } from "./format.js";

const pace = 2000; // milliseconds
const slowest = 30000;

/** Begins. told is called with (status, null) for each answer, and (null, error) where there was none. */
export function watch(told) {
  let timer = null;
  let failures = 0;
  let asking = null;

  async function look() {
    clearTimeout(timer);
    if (document.hidden || asking) return;
    asking = new AbortController();
    const mine = asking;
    try {
      const { body } = await get("status", {}, mine.signal);
      failures = 0;
      told(body, null);
    } catch (error) {
      if (mine.signal.aborted) return;
      failures++;
      told(null, error);
      if (error.status === 401) return; // until there is another credential
    } finally {
      if (asking === mine) asking = null;
    }
    timer = setTimeout(look, Math.min(pace * 2 ** Math.min(failures, 5), slowest));
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  look();
  return {
    /** Looks at once, with the credential there is now. */
    again() {
      asking?.abort();
      asking = null;
      failures = 0;
      return look();
    },
  };
}

/** Keeps what times on the page say true: “3 min ago” grows. */
export function tick() {
  setInterval(() => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-ago], time[data-since]")) {
      const text = "ago" in time.dataset ? ago(time.dateTime) : since(time.dateTime);
      if (time.textContent !== text) time.textContent = text;
    }
  }, 1000);
}
