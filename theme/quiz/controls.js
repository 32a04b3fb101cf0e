/**
 * What a reader answers with, one maker per kind of question. Each returns {element, read, show, idle?}: the element; read()
 * gives the response that `mark` takes, or null while nothing is there; show(response) puts one back; idle() tells
 * whether a response that stands there from the start is still untouched.
 * Nothing needs dragging, and everything is reached with Tab, arrows, Enter and the space bar.
 */
import { region } from "./marking.js";

let made = 0;
const unique = word => `${word}-${made += 1}`;

/** @returns {HTMLElement} an element with properties, attributes (with a hyphen or `for`, `role`) and children */
export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node && !key.includes("-")) node[key] = value;
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

/** Html that the press made of the book's own Markdown. */
export function rich(name, html, properties = {}) { return el(name, { ...properties, innerHTML: html }); }

/** @param {object} question one variant @param {number[]} shuffled an order for its entries @param {string} named id of the prompt */
export function control(question, shuffled, named) {
  const make = { single: choices, multiple: choices, number: line, text: line, shape: line, output: lines, order: ordering,
    match: matching, spot: spotting }[question.kind];
  return make(question, shuffled, named);
}

// ---- choices ---------------------------------------------------------------------------------------------------------

function choices(question, shuffled, named) {
  const several = question.kind === "multiple", group = unique("choice");
  const inputs = [];
  const entries = shuffled.map(i => {
    inputs[i] = el("input", { type: several ? "checkbox" : "radio", name: group, value: String(i) });
    return el("label", { className: "quiz-option" }, inputs[i], rich("span", question.options[i].html));
  });
  const chosen = () => inputs.flatMap((input, i) => input.checked ? [i] : []);
  return {
    element: el("div", { className: "quiz-options", role: several ? "group" : "radiogroup", "aria-labelledby": named }, ...entries),
    read: () => several ? (chosen().length ? chosen() : null) : chosen()[0] ?? null,
    show: response => inputs.forEach((input, i) => { input.checked = [].concat(response).includes(i); }),
  };
}

// ---- written answers -------------------------------------------------------------------------------------------------

function line(question, _, named) {
  const input = el("input", { type: "text", className: "quiz-line", autocomplete: "off", spellcheck: false, "aria-labelledby": named,
    maxLength: 500, placeholder: question.kind === "shape" ? "(…, …)" : "" });
  const unit = question.unit ? el("span", { className: "quiz-unit" }, question.unit) : null;
  return { element: el("p", { className: "quiz-written" }, input, unit), read: () => input.value.trim() || null,
    show: response => { input.value = response; } };
}

function lines(question, _, named) {
  const rows = Math.min(8, Math.max(2, question.accept[0].split("\n").length + 1));
  const input = el("textarea", { className: "quiz-lines", rows, maxLength: 5000, spellcheck: false, autocomplete: "off", "aria-labelledby": named });
  return { element: input, read: () => input.value.trim() ? input.value : null, show: response => { input.value = response; } };
}

// ---- put in order ----------------------------------------------------------------------------------------------------

function ordering(question, shuffled, named) {
  const entries = [...question.items, ...question.distractors];
  const spare = question.distractors.length > 0;
  let used = spare ? [] : [...shuffled], unused = spare ? [...shuffled] : [], touched = false;
  const said = el("p", { className: "quiz-said", "aria-live": "polite" });
  const list = el("ol", { className: "quiz-order", "aria-label": "Your order" });
  const pool = el("ul", { className: "quiz-order", "aria-label": "Not used yet" });
  const button = (words, name, action, off = false) => el("button", { type: "button", disabled: off, "aria-label": `${name}: ${words}`, title: name,
    onclick: action }, { "Move up": "↑", "Move down": "↓", "Take out": "×", Use: "+" }[name]);

  function entry(i, place) {
    const body = question.code ? el("code", {}, entries[i].text) : rich("span", entries[i].html);
    const words = entries[i].text.trim();
    const buttons = place === null ? [button(words, "Use", () => move(i, used.length, "used"))] : [
      button(words, "Move up", () => move(i, place - 1, "up"), place === 0),
      button(words, "Move down", () => move(i, place + 1, "down"), place === used.length - 1),
      spare ? button(words, "Take out", () => move(i, null, "out")) : null];
    return el("li", { "data-entry": String(i) }, body, el("span", { className: "quiz-moves" }, ...buttons));
  }
  function draw() {
    list.replaceChildren(...used.map((i, place) => entry(i, place)));
    pool.replaceChildren(...unused.map(i => entry(i, null)));
    pool.hidden = !unused.length;
  }
  /** Move an entry, keep the focus on the same button of it where that still can be pressed, and say where it went. */
  function move(i, place, way) {
    touched = true;
    used = used.filter(other => other !== i);
    unused = unused.filter(other => other !== i);
    if (place === null) unused.push(i); else used.splice(place, 0, i);
    draw();
    const at = (place === null ? pool : list).querySelector(`[data-entry="${i}"]`);
    const buttons = [...at.querySelectorAll("button:not(:disabled)")];
    (buttons.find(b => b.title === { up: "Move up", down: "Move down" }[way]) ?? buttons[0])?.focus();
    said.textContent = place === null ? "Taken out." : `Now ${place + 1} of ${used.length}.`;
    list.dispatchEvent(new Event("input", { bubbles: true }));
  }
  draw();
  return {
    element: el("div", { role: "group", "aria-labelledby": named }, list, spare ? pool : null, said),
    read: () => used.length ? [...used] : null,
    idle: () => !touched,
    show: response => { touched = true; used = [...response]; unused = spare ? shuffled.filter(i => !used.includes(i)) : []; draw(); },
  };
}

// ---- match -----------------------------------------------------------------------------------------------------------

function matching(question, shuffled, named) {
  const letter = place => String.fromCharCode(65 + place);
  const selects = question.pairs.map((pair, i) => {
    const select = el("select", { "aria-label": pair.leftText }, el("option", { value: "" }, "choose"),
      ...shuffled.map((right, place) => el("option", { value: String(right) }, `${letter(place)}  ${short(question.pairs[right].rightText)}`)));
    return { select, row: el("li", {}, rich("span", pair.left), select) };
  });
  const rights = shuffled.map((right, place) => el("li", {}, el("b", {}, letter(place)), " ", rich("span", question.pairs[right].right)));
  return {
    element: el("div", { className: "quiz-match", role: "group", "aria-labelledby": named },
      el("ul", { className: "quiz-rights" }, ...rights), el("ul", { className: "quiz-lefts" }, ...selects.map(({ row }) => row))),
    read: () => selects.every(({ select }) => select.value) ? selects.map(({ select }) => Number(select.value)) : null,
    show: response => selects.forEach(({ select }, i) => { select.value = String(response[i] ?? ""); }),
  };
}

function short(text) { return text.length > 40 ? `${text.slice(0, 38)}…` : text; }

// ---- mark the spot ---------------------------------------------------------------------------------------------------

function spotting(question, shuffled, named) {
  const picture = pictureOf(question), group = unique("spot");
  const cross = el("span", { className: "quiz-cross", "aria-hidden": "true", hidden: true });
  const said = el("p", { className: "quiz-said", "aria-live": "polite" });
  const board = el("div", { className: "quiz-board", tabIndex: 0, role: "application", "aria-label":
    `${question.alt} Arrow keys move the mark, with Shift in larger steps; or name the place below.` }, picture, cross);
  const names = shuffled.map(i => el("label", { className: "quiz-option" },
    el("input", { type: "radio", name: group, value: String(i), onchange: () => place(question.regions[i].x, question.regions[i].y, i) }),
    rich("span", question.regions[i].html)));
  let at = null;

  function place(x, y, chosen = null) {
    at = [Math.min(100, Math.max(0, x)), Math.min(100, Math.max(0, y))];
    Object.assign(cross.style, { left: `${at[0]}%`, top: `${at[1]}%` });
    cross.hidden = false;
    names.forEach((label, i) => { label.firstChild.checked = shuffled[i] === chosen; });
    said.textContent = `The mark is ${Math.round(at[0])} % from the left and ${Math.round(at[1])} % from the top.`;
    board.dispatchEvent(new Event("input", { bubbles: true }));
  }
  board.addEventListener("click", event => {
    const box = board.getBoundingClientRect();
    place(100 * (event.clientX - box.left) / box.width, 100 * (event.clientY - box.top) / box.height);
  });
  board.addEventListener("keydown", event => {
    const step = event.shiftKey ? 10 : 2, [x, y] = at ?? [50, 50];
    const to = { ArrowLeft: [x - step, y], ArrowRight: [x + step, y], ArrowUp: [x, y - step], ArrowDown: [x, y + step] }[event.key];
    if (!to) return;
    event.preventDefault();
    place(...to);
  });
  return {
    element: el("div", { role: "group", "aria-labelledby": named }, board, said,
      el("details", { className: "quiz-names" }, el("summary", {}, "Name the place instead"), ...names)),
    read: () => at && [...at, Math.round(1000 * picture.clientHeight / picture.clientWidth) / 1000 || 1],
    show: response => place(response[0], response[1], region(question, ...response)),
  };
}

/** The chapter's own figure, copied, or on other pages the picture that the question brings. */
function pictureOf(question) {
  const own = document.getElementById(question.figure)?.querySelector("svg, img") ?? rich("p", question.picture).firstChild;
  const copy = own.cloneNode(true);
  copy.removeAttribute("id");
  copy.setAttribute("aria-hidden", "true");
  if (copy.tagName === "IMG") copy.alt = "";
  return copy;
}
