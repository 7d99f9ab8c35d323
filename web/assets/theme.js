// Runs before the first paint, so that the page does not flash in the other theme. store.js has the name.
try {
  const theme = localStorage.getItem("trunkline.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // the browser keeps nothing: the system's theme serves
}
