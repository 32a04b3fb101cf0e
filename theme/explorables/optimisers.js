/**
 * <dl-optimisers>: race six optimisers on a surface of two weights. The same surfaces, rules, order of operations and
 * default settings as dlbook.optim.SURFACES and its classes; a test compares every position.
 */

/** @typedef {[number, number]} Pair */
/** @typedef {{f: (x: number, y: number) => number, g: (x: number, y: number) => Pair, half: number, at: Pair, start: Pair, rate: number}} Surface
 *  half: half the width of the map; at: its centre */

const SIZE = 400;                                   // units of the drawing
const CELLS = 160;                                  // squares of the map along a side
const LIMIT = 300;                                  // steps of a run
const BEALE = [1.5, 2.25, 2.625];
/** @type {Record<string, Surface>} */
const SURFACES = {
  bowl: { f: (x, y) => (x * x + 20 * y * y) / 2, g: (x, y) => [x, 20 * y], half: 2.5, at: [0, 0], start: [-2, 1], rate: 0.05 },
  Rosenbrock: { f: (x, y) => ((1 - x) ** 2 + 20 * (y - x * x) ** 2) / 4,
    g: (x, y) => [(x - 1) / 2 - 20 * x * (y - x * x), 10 * (y - x * x)], half: 2, at: [0, 1], start: [-1.5, 2], rate: 0.02 },
  saddle: { f: (x, y) => (x * x - y * y) / 2 + y ** 4 / 4, g: (x, y) => [x, y ** 3 - y], half: 2, at: [0, 0], start: [-1.5, 0.01], rate: 0.05 },
  Beale: { f: (x, y) => BEALE.reduce((sum, c, i) => sum + (c - x + x * y ** (i + 1)) ** 2, 0),
    g: (x, y) => BEALE.reduce((sum, c, i) => {
      const k = i + 1, rest = 2 * (c - x + x * y ** k);
      return /** @type {Pair} */ ([sum[0] + rest * (y ** k - 1), sum[1] + rest * k * x * y ** i]);
    }, /** @type {Pair} */ ([0, 0])), half: 4.5, at: [0, 0], start: [1, 1.5], rate: 0.005 },
  waves: { f: (x, y) => (x * x + y * y) / 10 + (2 - Math.cos(3 * x) - Math.cos(3 * y)) / 2,
    g: (x, y) => [x / 5 + 1.5 * Math.sin(3 * x), y / 5 + 1.5 * Math.sin(3 * y)], half: 4, at: [0, 0], start: [-3, 2.5], rate: 0.1 },
};

/** A rule: its look, and the step that the rate multiplies, for one weight. m is that weight's memory.
 * @typedef {{colour: string, mark: string, dash: string, step: (g: number, m: {a: number, b: number}, t: number) => number}} Rule */
/** @type {Record<string, Rule>} */
const RULES = {
  "gradient descent": { colour: "var(--c2, #bf4a00)", mark: "M-5 -5h10v10h-10z", dash: "2 3", step: (g) => g },
  momentum: { colour: "var(--c3, #12685a)", mark: "M0 -7l7 12h-14z", dash: "", step: (g, m) => (m.a = 0.9 * m.a + g) },
  Nesterov: { colour: "var(--c1, #1a6bdc)", mark: "M0 7l7 -12h-14z", dash: "8 3", step: (g, m) => g + 0.9 * (m.a = 0.9 * m.a + g) },
  AdaGrad: { colour: "var(--c5, #8e112e)", mark: "M0 -7l7 7l-7 7l-7 -7z", dash: "4 2", step: (g, m) => g / (Math.sqrt(m.b += g * g) + 1e-10) },
  RMSprop: { colour: "var(--c6, #61774b)", mark: "M-6 -2h4v-4h4v4h4v4h-4v4h-4v-4h-4z", dash: "10 3 2 3",
    step: (g, m) => g / (Math.sqrt(m.b = 0.99 * m.b + (1 - 0.99) * g * g) + 1e-8) },
  Adam: { colour: "var(--c4, #6a1f8e)", mark: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z", dash: "1 2", step: (g, m, t) => {
    m.a = 0.9 * m.a + (1 - 0.9) * g;
    m.b = 0.999 * m.b + (1 - 0.999) * g * g;
    return m.a / (1 - 0.9 ** t) / (Math.sqrt(m.b / (1 - 0.999 ** t)) + 1e-8);
  } },
};
const NAMES = Object.keys(RULES);

/** @type {(v: number) => string} */
const show = (v) => (Number.isFinite(v) ? (Math.abs(v) >= 1e5 || (v && Math.abs(v) < 1e-3) ? v.toExponential(1) : String(Math.round(v * 1000) / 1000)) : "exploded").replace("-", "−");

/** Normal noise from a seed, the same for every visitor. @param {number} seed @returns {() => number} */
function normal(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

class Optimisers extends HTMLElement {
  connectedCallback() {
    if (this.plane) return;
    const fallback = document.createElement("div");
    fallback.className = "dl-fallback";
    fallback.append(...this.childNodes);
    const app = document.createElement("div");
    app.className = "dl-optimisers";
    app.innerHTML = this.markup();
    this.append(fallback, app);
    this.plane = /** @type {SVGSVGElement} */ (app.querySelector(".dl-map"));
    this.status = /** @type {HTMLElement} */ (app.querySelector(".dl-status"));
    this.list = /** @type {HTMLElement} */ (app.querySelector("tbody"));
    this.rateBox = /** @type {HTMLInputElement} */ (app.querySelector(".dl-rate"));
    this.noiseBox = /** @type {HTMLInputElement} */ (app.querySelector(".dl-noise"));
    this.timer = 0;
    this.wire(app);
    this.load("bowl");
  }

  disconnectedCallback() { this.pause(); }

  markup() {
    const options = Object.keys(SURFACES).map((name) => `<option>${name}</option>`).join("");
    const boxes = NAMES.map((name) => `<label><input type="checkbox" value="${name}" checked> <svg class="dl-key" viewBox="-8 -8 16 16" aria-hidden="true"><path d="${
      RULES[name].mark}" style="fill: ${RULES[name].colour}"/></svg> ${name}</label>`).join(" ");
    return `<style>
      @media screen { dl-optimisers .dl-fallback { display: none } }
      @media print { dl-optimisers .dl-optimisers { display: none } }
      .dl-optimisers .dl-map { width: 100%; max-width: 30rem; display: block; touch-action: manipulation; border: 1px solid var(--rule, #999); background: var(--surface, #fff) }
      .dl-optimisers .dl-map:focus-visible { outline: 3px solid var(--accent, #06c); outline-offset: 2px }
      .dl-optimisers .dl-key { width: 1em; height: 1em; vertical-align: -.1em }
      .dl-optimisers .dl-bar { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; align-items: center; border: 0; padding: 0 }
      .dl-optimisers .dl-bar button, .dl-optimisers .dl-bar select, .dl-optimisers .dl-bar input[type=number] { min-height: 2.25rem }
      .dl-optimisers .dl-bar input[type=number] { width: 6rem }
      .dl-optimisers .dl-status, .dl-optimisers table { margin: .5rem 0; font-variant-numeric: tabular-nums }
    </style>
    <div class="dl-bar"><label>Surface <select class="dl-surface">${options}</select></label>
      <label>Rate <input type="number" class="dl-rate" min="0" step="any"></label>
      <label>Noise <input type="number" class="dl-noise" min="0" step="any" value="0"></label></div>
    <fieldset class="dl-bar"><legend>Entrants</legend>${boxes}</fieldset>
    <svg class="dl-map" viewBox="0 0 ${SIZE} ${SIZE}" tabindex="0" role="application" aria-roledescription="map"
      aria-label="Map of the loss, darker where it is higher. Click, or use the arrow keys, with Shift in small steps, to move the start."></svg>
    <div class="dl-bar"><button type="button" class="dl-step">Step</button><button type="button" class="dl-run">Run</button>
      <button type="button" class="dl-reset">Reset</button></div>
    <p class="dl-status" role="status" aria-live="polite"></p>
    <div class="dl-table" tabindex="0" role="region" aria-label="Position and loss of each entrant" style="overflow-x: auto"><table><thead><tr><th scope="col">entrant</th>
      <th scope="col">w₁</th><th scope="col">w₂</th><th scope="col">loss</th></tr></thead><tbody></tbody></table></div>`;
  }

  /** @param {HTMLElement} app */
  wire(app) {
    /** @type {(name: string, does: () => void) => void} */
    const press = (name, does) => app.querySelector(name)?.addEventListener("click", does);
    press(".dl-step", () => { this.pause(); this.step(); this.draw(); });
    press(".dl-run", () => (this.timer ? this.pause() : this.run()));
    press(".dl-reset", () => this.reset());
    const surface = /** @type {HTMLSelectElement} */ (app.querySelector(".dl-surface"));
    surface.addEventListener("change", () => this.load(surface.value));
    for (const box of [this.rateBox, this.noiseBox]) box.addEventListener("change", () => this.reset());
    for (const box of app.querySelectorAll("input[type=checkbox]")) box.addEventListener("change", () => this.reset());
    this.plane.addEventListener("click", (event) => {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(/** @type {DOMMatrix} */ (this.plane.getScreenCTM()).inverse());
      const { half, at } = this.surface;
      this.place(at[0] + (p.x / SIZE * 2 - 1) * half, at[1] + (1 - p.y / SIZE * 2) * half);
    });
    this.plane.addEventListener("keydown", (event) => {
      const by = this.surface.half / (event.shiftKey ? 200 : 20);
      const move = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] }[event.key];
      if (!move) return;
      event.preventDefault();
      this.place(this.start[0] + move[0], this.start[1] + move[1]);
    });
  }

  /** @param {string} name */
  load(name) {
    this.name = name;
    this.surface = SURFACES[name];
    this.start = this.surface.start;
    this.rateBox.value = String(this.surface.rate);
    this.ground = this.picture();
    this.reset();
  }

  /** Put the start somewhere on the map, on a grid of hundredths. @param {number} x @param {number} y */
  place(x, y) {
    const { half, at } = this.surface;
    /** @type {(v: number, c: number) => number} */
    const keep = (v, c) => Math.round(Math.max(c - half, Math.min(c + half, v)) * 100) / 100;
    this.start = [keep(x, at[0]), keep(y, at[1])];
    this.reset(`Start at (${show(this.start[0])}, ${show(this.start[1])}).`);
  }

  /** @param {string} [note] */
  reset(note = "") {
    this.pause();
    this.t = 0;
    /** @type {(box: HTMLInputElement) => number} */
    const read = (box) => (Number(box.value) >= 0 && Number.isFinite(Number(box.value)) ? Number(box.value) : 0);
    this.rate = read(this.rateBox);
    this.noise = read(this.noiseBox);
    this.draws = normal(2015);
    this.racers = NAMES.filter((name) => this.querySelector(`input[value="${name}"]:checked`)).map((name) => (
      { name, path: /** @type {Pair[]} */ ([[...this.start]]), memory: [{ a: 0, b: 0 }, { a: 0, b: 0 }] }));
    this.draw(note);
  }

  /** One step of every entrant, all under the same noise. False once the run is over. */
  step() {
    if (this.t >= LIMIT) return false;
    this.t += 1;
    const noise = this.noise ? [this.draws() * this.noise, this.draws() * this.noise] : [0, 0];
    for (const { name, path, memory } of this.racers) {
      const w = path[path.length - 1], g = this.surface.g(w[0], w[1]);
      path.push(/** @type {Pair} */ ([0, 1].map((i) => w[i] - this.rate * RULES[name].step(g[i] + noise[i], memory[i], this.t))));
    }
    return true;
  }

  run() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (calm) while (this.step());
    else {
      this.timer = window.setInterval(() => {
        if (!this.step()) this.pause();
        this.draw();
      }, 40);
      /** @type {HTMLElement} */ (this.querySelector(".dl-run")).textContent = "Pause";
    }
    this.draw();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    const button = this.querySelector(".dl-run");
    if (button) button.textContent = "Run";
  }

  /** @param {string} [note] */
  draw(note = "") {
    const ends = this.racers.map(({ name, path }) => ({ name, w: path[path.length - 1], loss: this.surface.f(...path[path.length - 1]) }));
    Object.assign(this.dataset, { surface: this.name, steps: this.t, rate: this.rate, start: JSON.stringify(this.start),
      paths: JSON.stringify(Object.fromEntries(this.racers.map(({ name, path }) => [name, path]))) });
    this.plane.innerHTML = this.ground + this.trails();
    this.list.innerHTML = ends.map(({ name, w, loss }) => `<tr><th scope="row">${name}</th><td>${show(w[0])}</td><td>${show(w[1])}</td><td>${show(loss)}</td></tr>`).join("");
    const lead = ends.filter((end) => Number.isFinite(end.loss)).sort((a, b) => a.loss - b.loss)[0];
    this.status.setAttribute("aria-live", this.timer ? "off" : "polite");      // no torrent of words while it runs
    this.status.textContent = `${note} ${this.name}, ${this.t} of ${LIMIT} steps at the rate ${show(this.rate)}. ${
      lead ? `Lowest loss: ${show(lead.loss)}, ${this.t ? lead.name : "all at the start"}.` : "Nobody is left on the ground."}`.trim();
  }

  /** The map: squares shaded by the rank of their loss among twelve bands. */
  picture() {
    const { f, half, at } = this.surface, cell = SIZE / CELLS;
    const heights = Array.from({ length: CELLS * CELLS }, (_, k) => f(at[0] + ((k % CELLS + 0.5) / CELLS * 2 - 1) * half, at[1] + (1 - (Math.floor(k / CELLS) + 0.5) / CELLS * 2) * half));
    const sorted = [...heights].sort((a, b) => a - b), bands = Array.from({ length: 11 }, (_, i) => sorted[Math.floor((i + 1) / 12 * sorted.length)]);
    const paths = Array.from({ length: 12 }, () => ""), band = heights.map((h) => bands.filter((edge) => h >= edge).length);
    for (let k = 0, from = 0; k < band.length; k++) {                          // one strip per run of equal squares in a row
      if (k % CELLS < CELLS - 1 && band[k + 1] === band[k]) continue;
      paths[band[k]] += `M${Math.round(from % CELLS * cell)} ${Math.round(Math.floor(k / CELLS) * cell)}h${Math.round((k % CELLS + 1) * cell) - Math.round(from % CELLS * cell)}v${
        Math.round((Math.floor(k / CELLS) + 1) * cell) - Math.round(Math.floor(k / CELLS) * cell)}H${Math.round(from % CELLS * cell)}z`;
      from = k + 1;
    }
    return paths.map((d, i) => `<path d="${d}" style="fill: var(--ink, #1d2228)" fill-opacity="${(0.026 * i).toFixed(3)}"/>`).join("");
  }

  /** The paths, a mark at each end, and the start. */
  trails() {
    const { half, at } = this.surface, far = 3 * SIZE;
    /** @type {(v: number) => string} */
    const cut = (v) => Math.max(-far, Math.min(far, Number.isNaN(v) ? far : v)).toFixed(1);
    const X = (/** @type {number} */ x) => cut(((x - at[0]) / half + 1) * SIZE / 2), Y = (/** @type {number} */ y) => cut((1 - (y - at[1]) / half) * SIZE / 2);
    const lines = this.racers.map(({ name, path }) => {
      const { colour, dash, mark } = RULES[name], end = path[path.length - 1];
      return `<polyline points="${path.map(([x, y]) => `${X(x)},${Y(y)}`).join(" ")}" style="fill: none; stroke: ${colour}; stroke-width: 2" stroke-dasharray="${dash}"/>
        <path d="${mark}" transform="translate(${X(end[0])} ${Y(end[1])})" style="fill: ${colour}; stroke: var(--surface, #fff)"><title>${name}</title></path>`;
    });
    return `${lines.join("")}<path d="M${X(this.start[0])} ${Y(this.start[1])}m-9 0h18m-9 -9v18" style="stroke: var(--ink, #111); stroke-width: 2; fill: none"/>`;
  }
}

customElements.define("dl-optimisers", Optimisers);
