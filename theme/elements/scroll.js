/** What is wider than the text scrolls inside itself and can then be reached with the keyboard. */

const NAMES = [["pre", "Code"], [".equation, p:has(> math[display=block])", "Equation"], ["table", "Table"], [".scroll", "Wide content"],
  [".table-wide", "Table"], [".math-scroll", "Formula"]];

/**
 * A region that scrolls gets a name and a tab stop, one that no longer does loses them.
 * @param {HTMLElement} region
 * @param {string} name
 */
function mark(region, name) {
  const wide = region.scrollWidth > region.clientWidth + 1;
  if (wide === region.hasAttribute("data-scrolls")) return;
  region.toggleAttribute("data-scrolls", wide);
  if (!wide) for (const attribute of ["tabindex", "role", "aria-label"]) region.removeAttribute(attribute);
  else for (const [key, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", name]]) region.setAttribute(key, value);
}

/** Give a table a frame that scrolls, where the source has none. */
for (const table of document.querySelectorAll("main table")) {
  if (table.closest(".table-wide, .scroll")) continue;
  const frame = Object.assign(document.createElement("div"), { className: "scroll" });
  table.replaceWith(frame);
  frame.append(table);
}

/** A formula in the text that is wider than its line gets a frame of its own: browsers do not break MathML. */
function frameFormulas() {
  for (const math of document.querySelectorAll('main math:not([display="block"])')) {
    const line = math.closest("p, li, td, th, dd, figcaption, div");
    if (!line || math.closest(".math-scroll, .equation") || math.getBoundingClientRect().width <= line.clientWidth) continue;
    const frame = Object.assign(document.createElement("span"), { className: "math-scroll" });
    math.replaceWith(frame);
    frame.append(math);
  }
}

/** Keep a formula and the punctuation after it on one line: browsers may break between them. */
function keepPunctuation() {
  for (const math of document.querySelectorAll('main math:not([display="block"])')) {
    const mark = math.nextSibling instanceof Text && math.nextSibling.data.match(/^[,.;:!?)\]’”]+/)?.[0];
    if (!mark) continue;
    const frame = Object.assign(document.createElement("span"), { className: "kept" });
    math.nextSibling.data = math.nextSibling.data.slice(mark.length);
    math.replaceWith(frame);
    frame.append(math, mark);
  }
}

/** Look at every region again. */
function look() {
  frameFormulas();
  for (const [selector, name] of NAMES) {
    for (const region of document.querySelectorAll(`main :is(${selector})`)) {
      if (!(region instanceof HTMLTableElement)) mark(/** @type {HTMLElement} */ (region), name);
    }
  }
}

keepPunctuation();
look();
new ResizeObserver(look).observe(document.querySelector("main") || document.body);
document.fonts?.ready.then(look);
document.addEventListener("toggle", look, true);
