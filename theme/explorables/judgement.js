/** Cleveland and McGill's judgement: what per cent of the larger is the smaller, read as position, length and angle. */

const SVG = "http://www.w3.org/2000/svg";
const KINDS = ["position", "length", "angle"];
const REPEATS = 4;
/** Differences of mean log₂ error from position: Cleveland and McGill 1984, p. 541 (factors 1.4 to 2.5, and 1.96). */
const PUBLISHED = { length: [0.51, 1.32], angle: [0.97, 0.97] };
const NAMES = { position: "bars on one baseline", length: "pieces of one stack", angle: "slices of a pie" };

/**
 * @typedef {{kind: string, values: number[], a: number, b: number, truth: number}} Trial a and b index the larger and
 *   the smaller marked value; truth: the smaller as a percentage of the larger
 */

/** @returns {number[]} the ten sizes of the published experiment, equally spaced in their logarithm */
export function sizes() { return Array.from({ length: 10 }, (_, i) => 10 * 10 ** (i / 12)); }

/**
 * @param {number} judged
 * @param {number} truth percentages both
 * @returns {number} log₂ of the absolute error, with an eighth added so that a perfect answer has one
 */
export function logError(judged, truth) { return Math.log2(Math.abs(judged - truth) + 1 / 8); }

/**
 * @param {number[]} values
 * @returns {{mean: number, se: number}} the mean and its standard error
 */
export function meanError(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return { mean, se: Math.sqrt(variance / values.length) };
}

/**
 * @param {string} kind
 * @returns {Trial} five values, two of them marked, whose ratio lies between 0.18 and 0.83
 */
export function trial(kind) {
  const all = sizes(), pick = () => Math.floor(Math.random() * all.length);
  let i = 0, j = 0;
  while (i >= j || all[i] / all[j] > .83) [i, j] = [pick(), pick()];
  const places = [0, 1, 2, 3, 4].map((place) => [Math.random(), place]).sort((p, q) => p[0] - q[0]).map((p) => p[1]);
  const values = Array.from({ length: 5 }, () => all[pick()]), [a, b] = places;
  values[a] = all[j];
  values[b] = all[i];
  return { kind, values, a, b, truth: 100 * all[i] / all[j] };
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function draw(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text) element.textContent = text;
  return element;
}

const OUTLINE = "fill:none;stroke:var(--ink);stroke-width:1.5";
const LABEL = "fill:var(--ink);font:600 13px var(--font-ui)";

class Judgement extends HTMLElement {
  connectedCallback() {
    if (this.started) return;
    this.started = true;
    /** @type {Trial[]} */
    this.queue = [];
    /** @type {Trial | null} */
    this.trial = null;
    /** @type {Record<string, number[]>} */
    this.errors = {};
    const fallback = document.createElement("div");
    fallback.append(...this.childNodes);
    fallback.hidden = true;
    this.append(fallback, this.build());
    this.say("Twelve quick judgements: four with bars, four with stacks, four with pies. Guess, do not measure.");
  }

  /** @returns {HTMLElement} the start button, the stage, the answer, the result */
  build() {
    const body = document.createElement("div");
    body.innerHTML = `
      <div class="dl-controls"><button type="button" class="dl-start">Begin</button></div>
      <svg class="dl-stage" viewBox="0 0 300 220" role="img" aria-label="No figure yet." hidden
        style="display:block;width:100%;max-width:26rem"></svg>
      <form class="dl-controls" hidden><label>B is what per cent of A?
        <input type="number" min="1" max="100" step="1" required inputmode="numeric" style="width:6rem"></label>
        <button>Answer</button></form>
      <p class="dl-status" role="status" aria-live="polite"></p>
      <div class="dl-result" hidden></div>`;
    body.querySelector(".dl-start")?.addEventListener("click", () => this.start());
    body.querySelector("form")?.addEventListener("submit", (event) => { event.preventDefault(); this.answer(); });
    return body;
  }

  get stage() { return /** @type {SVGElement} */ (this.querySelector(".dl-stage")); }
  get form() { return /** @type {HTMLFormElement} */ (this.querySelector("form")); }
  get input() { return /** @type {HTMLInputElement} */ (this.querySelector("input")); }

  start() {
    const kinds = Array.from({ length: REPEATS }, () => KINDS).flat();
    this.queue = kinds.map((kind) => [Math.random(), kind]).sort((p, q) => +p[0] - +q[0]).map((p) => trial(String(p[1])));
    this.errors = Object.fromEntries(KINDS.map((kind) => [kind, []]));
    this.toggle(true);
    this.next();
  }

  /** @param {boolean} running */
  toggle(running) {
    this.stage.toggleAttribute("hidden", !running);
    this.form.hidden = !running;
    /** @type {HTMLElement} */ (this.querySelector(".dl-result")).hidden = running;
    const button = /** @type {HTMLElement} */ (this.querySelector(".dl-start"));
    button.hidden = running;
    button.textContent = "Once more";
  }

  next() {
    this.trial = this.queue.pop() || null;
    if (!this.trial) return this.finish();
    this.stage.replaceChildren();
    this.stage.setAttribute("aria-label", `${NAMES[this.trial.kind]}; two of five are marked A and B. The task is to judge by eye.`);
    this[this.trial.kind](this.trial);
    const left = this.queue.length;
    this.say(`${left + 1} ${left ? "figures" : "figure"} to go: ${NAMES[this.trial.kind]}.`);
    this.form.reset();
    this.input.focus();
  }

  answer() {
    const judged = this.input.valueAsNumber;
    if (!this.trial || !(judged >= 1 && judged <= 100)) return this.say("Type a whole number from 1 to 100.");
    this.errors[this.trial.kind].push(logError(judged, this.trial.truth));
    this.next();
  }

  /** @param {Trial} trial bars from one baseline */
  position({ values, a, b }) {
    const scale = 180 / Math.max(...values);
    values.forEach((value, i) => {
      const x = 30 + 50 * i, height = scale * value;
      this.stage.append(draw("rect", { x, y: 200 - height, width: 34, height, style: OUTLINE }));
      this.mark(i, a, b, x + 17, 194);
    });
    this.stage.append(draw("path", { d: "M15 200H285", style: OUTLINE }));
  }

  /** @param {Trial} trial pieces on top of each other */
  length({ values, a, b }) {
    const scale = 204 / values.reduce((sum, value) => sum + value, 0);
    let y = 212;
    values.forEach((value, i) => {
      const height = scale * value;
      y -= height;
      this.stage.append(draw("rect", { x: 115, y, width: 70, height, style: OUTLINE }));
      this.mark(i, a, b, 150, y + height / 2 + 5);
    });
  }

  /** @param {Trial} trial slices of one circle */
  angle({ values, a, b }) {
    const whole = values.reduce((sum, value) => sum + value, 0), turn = 2 * Math.PI * Math.random();
    const at = (/** @type {number} */ t, /** @type {number} */ r) => [150 + r * Math.cos(t), 110 + r * Math.sin(t)];
    let from = turn;
    values.forEach((value, i) => {
      const to = from + 2 * Math.PI * value / whole, [x0, y0] = at(from, 100), [x1, y1] = at(to, 100);
      this.stage.append(draw("path", { d: `M150 110L${x0} ${y0}A100 100 0 ${to - from > Math.PI ? 1 : 0} 1 ${x1} ${y1}Z`, style: OUTLINE }));
      const [x, y] = at((from + to) / 2, 72);
      this.mark(i, a, b, x, y + 5);
      from = to;
    });
  }

  /**
   * @param {number} i
   * @param {number} a
   * @param {number} b
   * @param {number} x
   * @param {number} y
   */
  mark(i, a, b, x, y) {
    if (i === a || i === b) this.stage.append(draw("text", { x, y, "text-anchor": "middle", style: LABEL }, i === a ? "A" : "B"));
  }

  finish() {
    this.toggle(false);
    const rows = KINDS.map((kind) => ({ kind, ...meanError(this.errors[kind]) })), base = rows[0];
    const compared = rows.slice(1).map(({ kind, mean, se }) => ({
      kind, difference: mean - base.mean, se: Math.hypot(se, base.se), published: PUBLISHED[kind],
    }));
    const result = /** @type {HTMLElement} */ (this.querySelector(".dl-result"));
    result.replaceChildren(this.plot(compared), this.table(rows, compared));
    this.say(`Done. Your errors, as a multiple of those with bars: ${compared.map(({ kind, difference }) =>
      `${(2 ** difference).toFixed(1)} with ${NAMES[kind]}`).join(", ")}. Twelve answers are few: the spread is wide.`);
    /** @type {HTMLElement} */ (this.querySelector(".dl-start")).focus();
  }

  /** @param {{kind: string, difference: number, se: number, published: number[]}[]} rows */
  plot(rows) {
    const limit = Math.max(2, ...rows.map(({ difference, se }) => Math.abs(difference) + se)) * 1.05;
    const x = (/** @type {number} */ value) => 170 + 140 * value / limit;
    const svg = draw("svg", {
      viewBox: "0 0 340 160", role: "img", style: "display:block;width:100%;max-width:32rem;font:11px var(--font-ui)",
      "aria-label": "Your log error minus that with bars, beside the published differences; the table below holds the same numbers.",
    });
    svg.append(draw("path", { d: `M${x(0)} 10V125M30 125H310`, style: "fill:none;stroke:var(--ink-soft)" }));
    for (const tick of [-2, -1, 0, 1, 2]) {
      svg.append(draw("text", { x: x(tick), y: 139, "text-anchor": "middle", style: "fill:var(--ink)" }, String(tick).replace("-", "−")));
    }
    svg.append(draw("text", { x: 170, y: 155, "text-anchor": "middle", style: "fill:var(--ink)" }, "log₂ error minus that of bars on one baseline (–)"));
    rows.forEach((row, i) => this.row(svg, row, 26 + 56 * i, x));
    return svg;
  }

  /**
   * @param {Element} svg
   * @param {{kind: string, difference: number, se: number, published: number[]}} row
   * @param {number} y
   * @param {(value: number) => number} x
   */
  row(svg, { kind, difference, se, published: [low, high] }, y, x) {
    svg.append(draw("text", { x: 8, y: y - 8, style: "fill:var(--ink);font-weight:600" }, NAMES[kind]));
    const line = "stroke-width:2;fill:none;stroke:";
    svg.append(draw("path", { d: `M${x(difference - se)} ${y + 4}H${x(difference + se)}`, style: `${line}var(--c2)` }));
    svg.append(draw("circle", { cx: x(difference), cy: y + 4, r: 5, style: "fill:var(--c2)" }));
    svg.append(draw("text", { x: 8, y: y + 8, style: "fill:var(--c2)" }, "you"));
    svg.append(draw("path", { d: `M${x(low)} ${y + 22}H${x(high)}`, style: `${line}var(--c1)` }));
    for (const end of [low, high]) svg.append(draw("rect", { x: x(end) - 4, y: y + 18, width: 8, height: 8, style: "fill:var(--c1)" }));
    svg.append(draw("text", { x: 8, y: y + 26, style: "fill:var(--c1)" }, "published"));
  }

  /**
   * @param {{kind: string, mean: number, se: number}[]} rows
   * @param {{kind: string, difference: number, se: number, published: number[]}[]} compared
   */
  table(rows, compared) {
    const region = document.createElement("div");
    Object.assign(region, { tabIndex: 0, className: "dl-table" });
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", "Your judgements beside the published ones");
    region.style.overflowX = "auto";
    const cells = rows.map(({ kind, mean, se }) => {
      const found = compared.find((row) => row.kind === kind);
      const published = !found ? "0" : [...new Set(found.published)].map((value) => value.toFixed(2)).join(" to ");
      return `<tr><th scope="row">${NAMES[kind]}</th><td>${mean.toFixed(2)} ± ${se.toFixed(2)}</td>
        <td>${found ? `${found.difference.toFixed(2)} ± ${found.se.toFixed(2)}` : "0"}</td><td>${published}</td></tr>`;
    });
    region.innerHTML = `<table><caption>Mean log₂ error, ± one standard error</caption><thead><tr><th scope="col">Figure</th>
      <th scope="col">You</th><th scope="col">You, minus bars</th><th scope="col">Cleveland and McGill 1984, minus bars</th></tr></thead>
      <tbody>${cells.join("").replaceAll(">-", ">−")}</tbody></table>`;
    return region;
  }

  /** @param {string} text */
  say(text) { /** @type {HTMLElement} */ (this.querySelector(".dl-status")).textContent = text; }
}

customElements.define("dl-judgement", Judgement);
