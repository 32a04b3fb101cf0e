/** Pop-out search: is the orange circle there? Colour alone finds it at once; colour and shape together do not. */

const SVG = "http://www.w3.org/2000/svg";
const SIZES = [4, 12, 24];
const REPEATS = 2;
const PAUSE = 300;
const KINDS = {
  feature: { title: "one feature", hint: "an orange circle among blue circles", decoys: [["circle", "--c1"]] },
  conjunction: {
    title: "two features at once", hint: "an orange circle among blue circles and orange squares",
    decoys: [["circle", "--c1"], ["square", "--c2"]],
  },
};

/**
 * @typedef {{kind: string, size: number, present: boolean}} Trial what is shown
 * @typedef {Trial & {right: boolean, ms: number}} Answer what the reader made of it
 */

/**
 * @template T
 * @param {T[]} items
 * @returns {T[]} a shuffled copy
 */
export function shuffled(items) {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

/**
 * @param {string} kind
 * @returns {Trial[]} every size, with and without the target, in random order
 */
export function trials(kind) {
  const all = SIZES.flatMap((size) => [true, false].map((present) => ({ kind, size, present })));
  return shuffled(Array.from({ length: REPEATS }, () => all).flat());
}

/**
 * @param {number[]} x
 * @param {number[]} y
 * @returns {number} the least-squares slope, NaN where x does not vary
 */
export function slope(x, y) {
  const mean = (/** @type {number[]} */ v) => v.reduce((a, b) => a + b, 0) / v.length, mx = mean(x), my = mean(y);
  return x.reduce((sum, xi, i) => sum + (xi - mx) * (y[i] - my), 0) / x.reduce((sum, xi) => sum + (xi - mx) ** 2, 0);
}

/**
 * @param {number[]} values
 * @returns {number} their median, NaN where there are none
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
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

class Popout extends HTMLElement {
  connectedCallback() {
    if (this.started) return;
    this.started = true;
    /** @type {Answer[]} */
    this.answers = [];
    /** @type {Trial[]} */
    this.queue = [];
    /** @type {Trial | null} */
    this.trial = null;
    const fallback = document.createElement("div");
    fallback.append(...this.childNodes);
    fallback.hidden = true;
    this.append(fallback, this.build());
    this.addEventListener("keydown", (event) => this.key(event));
    this.say("Choose a search to begin. There are twelve displays in each.");
  }

  /** @returns {HTMLElement} the controls, the stage, the result */
  build() {
    const body = document.createElement("div");
    body.innerHTML = `
      <div class="dl-controls">${Object.entries(KINDS).map(([kind, { title }]) =>
        `<button type="button" data-start="${kind}">Search by ${title}</button>`).join("")}</div>
      <svg class="dl-stage" viewBox="0 0 320 240" role="img" aria-label="The display is empty." tabindex="-1"
        style="display:block;width:100%;max-width:30rem;border:1px solid var(--rule);border-radius:6px"></svg>
      <div class="dl-controls">
        <button type="button" data-answer="no" disabled>Not there <kbd>F</kbd></button>
        <button type="button" data-answer="yes" disabled>There <kbd>J</kbd></button></div>
      <p class="dl-status" role="status" aria-live="polite"></p>
      <div class="dl-result" hidden></div>`;
    for (const button of body.querySelectorAll("button")) {
      button.addEventListener("click", () => this.press(/** @type {HTMLButtonElement} */ (button)));
    }
    return body;
  }

  /** @param {HTMLButtonElement} button */
  press(button) {
    if (button.dataset.start) this.start(button.dataset.start);
    else this.answer(button.dataset.answer === "yes");
  }

  /** @param {KeyboardEvent} event F and J answer while a display is shown */
  key(event) {
    const said = { f: false, j: true }[event.key.toLowerCase()];
    if (said === undefined || !this.trial || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.answer(said);
  }

  /** @param {string} kind */
  start(kind) {
    clearTimeout(this.timer);
    this.trial = null;
    this.answers = this.answers.filter((answer) => answer.kind !== kind);
    this.queue = trials(kind);
    /** @type {HTMLElement} */ (this.querySelector(".dl-result")).hidden = true;
    this.say(`Look for ${KINDS[kind].hint}. Press J if it is there, F if it is not.`);
    this.stage.focus();
    this.next();
  }

  get stage() { return /** @type {SVGElement} */ (this.querySelector(".dl-stage")); }

  next() {
    this.stage.replaceChildren();
    this.enable(false);
    this.timer = setTimeout(() => {
      this.trial = this.queue.pop() || null;
      if (!this.trial) return this.finish();
      this.show(this.trial);
      this.enable(true);
      this.shown = performance.now();
    }, PAUSE);
  }

  /** @param {Trial} trial */
  show({ kind, size, present }) {
    const cells = shuffled([...Array(48).keys()]).slice(0, size), { decoys } = KINDS[kind];
    cells.forEach((cell, i) => {
      const [shape, colour] = i === 0 && present ? ["circle", "--c2"] : decoys[i % decoys.length];
      const x = 20 + 40 * (cell % 8) + 12 * (Math.random() - .5), y = 20 + 40 * Math.floor(cell / 8) + 12 * (Math.random() - .5);
      const fill = `fill:var(${colour})`;
      this.stage.append(shape === "circle" ? draw("circle", { cx: x, cy: y, r: 9, style: fill })
        : draw("rect", { x: x - 8, y: y - 8, width: 16, height: 16, style: fill }));
    });
    this.stage.setAttribute("aria-label", `${size} marks: ${KINDS[kind].hint}?`);
  }

  /** @param {boolean} said whether the reader says that it is there */
  answer(said) {
    if (!this.trial) return;
    const answer = { ...this.trial, right: said === this.trial.present, ms: performance.now() - this.shown };
    this.answers.push(answer);
    this.trial = null;
    this.say(`${answer.right ? "Right" : "Wrong"}, ${Math.round(answer.ms)} ms for ${answer.size} marks. ${this.queue.length} to go.`);
    this.next();
  }

  /** @param {boolean} on */
  enable(on) {
    for (const button of this.querySelectorAll("[data-answer]")) /** @type {HTMLButtonElement} */ (button).disabled = !on;
  }

  finish() {
    this.enable(false);
    this.stage.setAttribute("aria-label", "The display is empty.");
    const kinds = Object.keys(KINDS).filter((kind) => this.answers.some((answer) => answer.kind === kind));
    const rows = kinds.map((kind) => this.summary(kind));
    const result = /** @type {HTMLElement} */ (this.querySelector(".dl-result"));
    result.hidden = false;
    result.replaceChildren(this.plot(rows), this.table(rows));
    const other = Object.keys(KINDS).find((kind) => !kinds.includes(kind));
    this.say(`Done: ${rows.map((row) => `${row.title} ${this.cost(row)}`).join("; ")}.` +
      (other ? ` Now search by ${KINDS[other].title} and compare.` : ""));
  }

  /** @param {string} kind */
  summary(kind) {
    const answers = this.answers.filter((answer) => answer.kind === kind), right = answers.filter((answer) => answer.right);
    return {
      kind, title: KINDS[kind].title, wrong: answers.length - right.length,
      medians: SIZES.map((size) => median(right.filter((answer) => answer.size === size).map((answer) => answer.ms))),
      slope: slope(right.map((answer) => answer.size), right.map((answer) => answer.ms)),
    };
  }

  /** @param {{slope: number}} row */
  cost({ slope }) {
    return Number.isFinite(slope) ? `costs ${slope.toFixed(1)} ms for each further mark` : "has too few right answers to measure";
  }

  /** @param {{kind: string, title: string, medians: number[]}[]} rows */
  plot(rows) {
    const top = Math.max(500, ...rows.flatMap((row) => row.medians).filter(Number.isFinite)) * 1.1;
    const x = (/** @type {number} */ size) => 46 + 8.2 * size, y = (/** @type {number} */ ms) => 170 - 150 * ms / top;
    const svg = draw("svg", {
      viewBox: "0 0 340 205", role: "img", style: "display:block;width:100%;max-width:30rem;font:11px var(--font-ui)",
      "aria-label": "Median time to answer against the number of marks; the table below holds the same numbers.",
    });
    svg.append(draw("path", { d: "M46 15V170H260", style: "fill:none;stroke:var(--ink-soft)" }));
    for (const size of SIZES) svg.append(draw("text", { x: x(size), y: 185, "text-anchor": "middle", style: "fill:var(--ink)" }, String(size)));
    for (const ms of [0, 500, 1000, 1500, 2000].filter((tick) => tick < top)) {
      svg.append(draw("text", { x: 41, y: y(ms) + 4, "text-anchor": "end", style: "fill:var(--ink)" }, String(ms)));
    }
    svg.append(draw("text", { x: 153, y: 201, "text-anchor": "middle", style: "fill:var(--ink)" }, "marks in the display (count)"));
    svg.append(draw("text", { x: 4, y: 10, style: "fill:var(--ink)" }, "median time (ms)"));
    for (const row of rows) this.line(svg, row, x, y);
    return svg;
  }

  /**
   * @param {Element} svg
   * @param {{kind: string, title: string, medians: number[]}} row
   * @param {(size: number) => number} x
   * @param {(ms: number) => number} y
   */
  line(svg, { kind, title, medians }, x, y) {
    const colour = kind === "feature" ? "var(--c1)" : "var(--c2)";
    const points = SIZES.map((size, i) => [x(size), y(medians[i])]).filter(([, py]) => Number.isFinite(py));
    if (!points.length) return;
    svg.append(draw("polyline", { points: points.join(" "), style: `fill:none;stroke:${colour};stroke-width:2` }));
    for (const [px, py] of points) svg.append(draw("circle", { cx: px, cy: py, r: 3.5, style: `fill:${colour}` }));
    const [px, py] = points[points.length - 1];
    svg.append(draw("text", { x: px + 8, y: py + 4, style: `fill:${colour}` }, title));
  }

  /** @param {{title: string, medians: number[], slope: number, wrong: number}[]} rows */
  table(rows) {
    const table = document.createElement("table");
    const show = (/** @type {number} */ value, digits = 0) => Number.isFinite(value) ? value.toFixed(digits) : "–";
    table.innerHTML = `<caption>Your search: median time of right answers</caption><thead><tr><th scope="col">Search by</th>
      ${SIZES.map((size) => `<th scope="col">${size} marks (ms)</th>`).join("")}<th scope="col">Slope (ms/mark)</th><th scope="col">Wrong</th></tr></thead>
      <tbody>${rows.map((row) => `<tr><th scope="row">${row.title}</th>${row.medians.map((ms) => `<td>${show(ms)}</td>`).join("")}
      <td>${show(row.slope, 1)}</td><td>${row.wrong}</td></tr>`).join("")}</tbody>`;
    const scroll = document.createElement("div");
    Object.assign(scroll, { tabIndex: 0, className: "dl-table" });
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Your search times");
    scroll.style.overflowX = "auto";
    scroll.append(table);
    return scroll;
  }

  /** @param {string} text */
  say(text) { /** @type {HTMLElement} */ (this.querySelector(".dl-status")).textContent = text; }
}

customElements.define("dl-popout", Popout);
