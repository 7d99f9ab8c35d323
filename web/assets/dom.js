// Elements. Whatever comes from outside becomes text: nothing here, or anywhere in the page, reads a string as HTML.

const svgSpace = "http://www.w3.org/2000/svg";

/**
 * Makes an element. Attributes: on* are listeners; true is an attribute without a value; false, null and undefined leave it out.
 * Children: elements, texts and lists of them; null, undefined and false leave one out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name !== "href" || /^(#|https:\/\/)/.test(value)) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...kept(children));
  return element;
}

function kept(children) {
  return children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
}

/**
 * Puts children in the place of those an element has. What was focused is focused again; if it is no longer there, reading goes on at
 * the element's beginning.
 */
export function fill(element, ...children) {
  const focused = element !== document.activeElement && element.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  element.replaceChildren(...kept(children));
  if (focused === null) return;
  const same = [...element.querySelectorAll("a, button, summary")].find((e) => keyOf(e) === focused);
  if (same) return same.focus({ preventScroll: true });
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
  if (element.getBoundingClientRect().top < 0) element.scrollIntoView();
}

/** Lets the keyboard scroll an element while it is larger than its place. */
export function scrollable(element) {
  new ResizeObserver(() => {
    if (element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }).observe(element);
  return element;
}

function keyOf(element) {
  return [element.tagName, element.id, element.getAttribute("href"), element.textContent].join("\n");
}

const shapes = {
  check: "M3 8.5l3.2 3.2L13 4.8",
  cross: "M4 4l8 8M12 4l-8 8",
  clock: "M8 4.2V8l2.6 1.8M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z",
  pin: "M5.5 2h5l-.6 4.4 2.1 2.1H4l2.1-2.1L5.5 2zM8 8.5V14",
  hand: "M5.3 1.8h5.4l3.5 3.5v5.4l-3.5 3.5H5.3l-3.5-3.5V5.3z",
  back: "M6 3.5L2.5 7 6 10.5M2.5 7h7a4 4 0 0 1 0 8H7",
  out: "M9.5 2.5h4v4M13.5 2.5L7.5 8.5M12 9.5V13a.5.5 0 0 1-.5.5h-8A.5.5 0 0 1 3 13V5a.5.5 0 0 1 .5-.5H7",
  none: "M3.5 8h9",
  alert: "M8 5.2v3.6M8 11.2v.1M8 1.8l6.6 11.7H1.4L8 1.8z",
  tag: "M2.5 2.5h5l6 6-5 5-6-6v-5zM5.2 5.3v.1",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  pencil: "M10.8 2.6l2.6 2.6-8 8H2.8v-2.6l8-8z",
  more: "M5.5 3l5 5-5 5",
};

/** A small drawing beside a text, which says the same. */
export function icon(name) {
  const svg = document.createElementNS(svgSpace, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true", focusable: "false" }))
    svg.setAttribute(key, value);
  const path = document.createElementNS(svgSpace, "path");
  path.setAttribute("d", shapes[name]);
  svg.append(path);
  return svg;
}
