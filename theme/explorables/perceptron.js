/**
 * <dl-perceptron>: place points of two classes, step the perceptron rule, and watch the line, its margin and the number
 * of updates beside Novikoff's bound. Same rule, order and start as dlbook.perceptron.fit_perceptron.
 */

/** @typedef {{x: number, y: number, label: 1 | -1}} Point */
/** @typedef {[number, number, number]} Vector  homogeneous: (x, y, 1), or weights with the bias last */

const HALF = 4;                                     // the plane shows -4 … 4 on both axes
const SIZE = 400;                                   // units of the drawing
const LIMIT = 500;                                  // updates after which "Run" gives up
/** @type {Record<string, [number, number, 1 | -1][]>} */
const PRESETS = {
  separable: [[2.5, -0.75, -1], [0.75, 2, -1], [2.75, -1.75, -1], [-1.5, 0.25, -1], [0.5, -3, 1], [-0.75, -2.5, 1], [2, 1.5, -1],
    [-3.5, -2.75, 1], [1.5, -3.5, 1]],
  "narrow margin": [[2.25, -3.5, -1], [-0.25, -2.75, -1], [-2, 3.25, -1], [1.75, 0.25, 1], [0, 2.5, 1], [-1.75, -1, -1], [3.25, -2.75, -1],
    [-2.25, 1, -1], [2.5, -1, 1]],
  XOR: [[-2, -2, -1], [-2, 2, 1], [2, -2, 1], [2, 2, -1]],
  outlier: [[2.5, -0.75, -1], [0.75, 2, -1], [2.75, -1.75, -1], [-1.5, 0.25, -1], [0.5, -3, 1], [-0.75, -2.5, 1], [2, 1.5, -1],
    [-3.5, -2.75, 1], [1.5, -3.5, 1], [1.25, 1, 1]],
};
const CLASSES = { "1": { colour: "var(--c2, #bf4a00)", name: "triangle", sign: "+1" }, "-1": { colour: "var(--c1, #1a6bdc)", name: "disc", sign: "−1" } };

/** @type {(a: Vector, b: Vector) => number} */
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** @type {(a: Vector, s: number, b: Vector) => Vector}  a + s b */
const plus = (a, s, b) => [a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]];
/** @type {(a: Vector, b: Vector) => Vector} */
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
/** @type {(p: Point) => Vector} */
const lift = (p) => [p.x, p.y, 1];

/** The point of a segment that is nearest to the origin, null where it is an end. @type {(a: Vector, b: Vector) => Vector | null} */
function onSegment(a, b) {
  const d = plus(b, -1, a), t = -dot(a, d) / dot(d, d);
  return t > 0 && t < 1 ? plus(a, t, d) : null;
}

/** The foot of the origin on a triangle's plane, null where it is outside. @type {(a: Vector, b: Vector, c: Vector) => Vector | null} */
function onTriangle(a, b, c) {
  const n = cross(plus(b, -1, a), plus(c, -1, a)), area = dot(n, n);
  if (area < 1e-18) return null;
  const p = plus([0, 0, 0], dot(n, a) / area, n);
  /** @type {(u: Vector, v: Vector) => number} */
  const side = (u, v) => dot(n, cross(plus(v, -1, u), plus(p, -1, u)));
  return side(a, b) >= 0 && side(b, c) >= 0 && side(c, a) >= 0 ? p : null;
}

/**
 * The largest margin, 0 where no line separates. By the chapter's lemma it is the distance from the origin to the hull of
 * the y x; in three dimensions the nearest point lies on one example, between two, or inside a triangle of three.
 * @param {Point[]} points @returns {number}
 */
function bestMargin(points) {
  const z = points.map((p) => plus([0, 0, 0], p.label, lift(p))), far = radius(points);
  /** @type {(p: Vector | null) => number} */
  const certified = (p) => {                        // the lemma's condition: every example at least as far along p
    const length = p ? Math.sqrt(dot(p, p)) : 0;
    return p && length > 1e-9 * far && z.every((v) => dot(v, p) / length >= length - 1e-9 * far) ? length : 0;
  };
  for (let i = 0; i < z.length; i++) {
    if (certified(z[i])) return certified(z[i]);
    for (let j = 0; j < i; j++) {
      const two = certified(onSegment(z[i], z[j]));
      if (two) return two;
      for (let k = 0; k < j; k++) {
        const three = certified(onTriangle(z[i], z[j], z[k]));
        if (three) return three;
      }
    }
  }
  return 0;
}

/** @type {(points: Point[]) => number} */
const radius = (points) => Math.max(...points.map((p) => Math.sqrt(dot(lift(p), lift(p)))));
/** @type {(v: number) => string} */
const show = (v) => String(Math.round(v * 100) / 100).replace("-", "−");

class Perceptron extends HTMLElement {
  connectedCallback() {
    if (this.plane) return;
    const fallback = document.createElement("div");
    fallback.className = "dl-fallback";
    fallback.append(...this.childNodes);
    const app = document.createElement("div");
    app.className = "dl-perceptron";
    app.innerHTML = this.markup();
    this.append(fallback, app);
    this.plane = /** @type {SVGSVGElement} */ (app.querySelector("svg"));
    this.status = /** @type {HTMLElement} */ (app.querySelector(".dl-status"));
    this.list = /** @type {HTMLElement} */ (app.querySelector("tbody"));
    this.cross = { x: 0, y: 0 };
    this.timer = 0;
    this.wire(app);
    this.load("separable");
  }

  disconnectedCallback() { this.pause(); }

  markup() {
    const options = Object.keys(PRESETS).map((name) => `<option>${name}</option>`).join("");
    return `<style>
      @media screen { dl-perceptron .dl-fallback { display: none } }
      @media print { dl-perceptron .dl-perceptron { display: none } }
      .dl-perceptron svg { width: 100%; max-width: 30rem; display: block; touch-action: manipulation; border: 1px solid var(--rule, #999);
        background: var(--surface, #fff) }
      .dl-perceptron svg:focus-visible { outline: 3px solid var(--accent, #06c); outline-offset: 2px }
      .dl-perceptron svg .dl-cross { visibility: hidden } .dl-perceptron svg:focus-visible .dl-cross { visibility: visible }
      .dl-perceptron .dl-bar { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; align-items: center }
      .dl-perceptron .dl-bar button, .dl-perceptron .dl-bar select { min-height: 2.25rem }
      .dl-perceptron .dl-status { margin: .5rem 0; font-variant-numeric: tabular-nums }
    </style>
    <div class="dl-bar"><label>Example <select class="dl-preset">${options}</select></label>
      <label><input type="radio" name="dl-class" value="-1" checked> disc (−1)</label>
      <label><input type="radio" name="dl-class" value="1"> triangle (+1)</label></div>
    <svg viewBox="0 0 ${SIZE} ${SIZE}" tabindex="0" role="application" aria-roledescription="plane"
      aria-label="Plane of points. Arrow keys move the cross, with Shift in small steps; Enter adds a point, C changes its class, Delete removes the nearest point."></svg>
    <div class="dl-bar"><button type="button" class="dl-step">Next update</button><button type="button" class="dl-run">Run</button>
      <button type="button" class="dl-restart">Weights to zero</button><button type="button" class="dl-clear">Remove all points</button></div>
    <p class="dl-status" role="status" aria-live="polite"></p>
    <details><summary>The points as a table</summary><table><thead><tr><th scope="col">number</th><th scope="col">x₁</th><th scope="col">x₂</th>
      <th scope="col">label</th><th scope="col">score</th></tr></thead><tbody></tbody></table></details>`;
  }

  /** @param {HTMLElement} app */
  wire(app) {
    /** @type {(name: string, does: () => void) => void} */
    const press = (name, does) => app.querySelector(name)?.addEventListener("click", does);
    press(".dl-step", () => { this.pause(); this.step(); this.draw(); });
    press(".dl-run", () => (this.timer ? this.pause() : this.run()));
    press(".dl-restart", () => this.restart());
    press(".dl-clear", () => { this.points = []; this.restart(); });
    const preset = /** @type {HTMLSelectElement} */ (app.querySelector(".dl-preset"));
    preset.addEventListener("change", () => this.load(preset.value));
    this.plane.addEventListener("click", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(/** @type {DOMMatrix} */ (this.plane.getScreenCTM()).inverse());
      this.add(Math.round((at.x / SIZE * 2 - 1) * HALF * 20) / 20, Math.round((1 - at.y / SIZE * 2) * HALF * 20) / 20);
    });
    this.plane.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = event.shiftKey ? 0.05 : 0.5, move = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] }[event.key];
    const other = this.querySelector(`input[value="${-this.label()}"]`);
    if (move) {
      /** @type {(v: number) => number} */
      const keep = (v) => Math.max(-HALF, Math.min(HALF, Math.round(v * 20) / 20));
      this.cross = { x: keep(this.cross.x + move[0]), y: keep(this.cross.y + move[1]) };
      this.draw(`Cross at (${show(this.cross.x)}, ${show(this.cross.y)}).`);
    } else if (event.key === "Enter" || event.key === " ") this.add(this.cross.x, this.cross.y);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove();
    else if (event.key.toLowerCase() === "c" && other instanceof HTMLInputElement) {
      other.checked = true;
      this.draw(`New points are of class ${CLASSES[this.label()].sign}.`);
    } else return;
    event.preventDefault();
  }

  /** The class of the next point. @returns {1 | -1} */
  label() { return this.querySelector('input[value="1"]:checked') ? 1 : -1; }

  /** @param {string} name */
  load(name) {
    this.points = PRESETS[name].map(([x, y, label]) => ({ x, y, label }));
    this.restart();
  }

  /** @param {number} x @param {number} y */
  add(x, y) {
    if (this.points.length < 40) this.points.push({ x, y, label: this.label() });
    this.restart();
  }

  remove() {
    const far = (/** @type {Point} */ p) => Math.hypot(p.x - this.cross.x, p.y - this.cross.y);
    const nearest = [...this.points].sort((a, b) => far(a) - far(b))[0];
    this.points = this.points.filter((p) => p !== nearest);
    this.restart();
  }

  restart() {
    this.pause();
    Object.assign(this, { w: [0, 0, 0], updates: 0, next: 0, last: null, done: false });
    this.gamma = this.points.length ? bestMargin(this.points) : 0;
    this.draw();
  }

  /** Show examples in order until one is a mistake, and update. False where a whole pass is right. */
  step() {
    for (let seen = 0; seen < this.points.length; seen++) {
      const p = this.points[this.next];
      this.next = (this.next + 1) % this.points.length;
      if (p.label * dot(this.w, lift(p)) <= 0) {
        this.w = plus(this.w, p.label, lift(p));
        this.updates += 1;
        this.last = p;
        return true;
      }
    }
    this.done = this.points.length > 0;
    this.last = null;
    return false;
  }

  run() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches, until = this.updates + LIMIT;
    const tick = () => {
      const more = this.step() && this.updates < until;
      if (!more) this.pause();
      this.draw();
      return more;
    };
    if (calm) while (this.step() && this.updates < until);
    else this.timer = window.setInterval(tick, 250);
    /** @type {HTMLElement} */ (this.querySelector(".dl-run")).textContent = calm ? "Run" : "Pause";
    this.draw();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    const button = this.querySelector(".dl-run");
    if (button) button.textContent = "Run";
  }

  /** The smallest y w·x / |w|, in homogeneous coordinates or, flat, in the plane. @param {boolean} flat */
  margin(flat) {
    const length = Math.hypot(this.w[0], this.w[1], flat ? 0 : this.w[2]);
    return length && this.points.length ? Math.min(...this.points.map((p) => p.label * dot(this.w, lift(p)))) / length : null;
  }

  /** @param {string} [note] */
  draw(note = "") {
    const wrong = this.points.filter((p) => p.label * dot(this.w, lift(p)) <= 0).length;
    const bound = this.gamma ? (radius(this.points) / this.gamma) ** 2 : null, margin = this.margin(false);
    Object.assign(this.dataset, { w: JSON.stringify(this.w), updates: this.updates, wrong, gamma: this.gamma, bound: bound ?? "none",
      margin: margin ?? "none", done: this.done, points: JSON.stringify(this.points.map((p) => [p.x, p.y, p.label])) });
    this.plane.innerHTML = this.picture();
    this.list.innerHTML = this.points.map((p, i) => `<tr><td>${i + 1}</td><td>${show(p.x)}</td><td>${show(p.y)}</td>
      <td>${CLASSES[p.label].sign}</td><td>${show(dot(this.w, lift(p)))}</td></tr>`).join("");
    const limit = !this.points.length ? "No points yet." : bound ? `At most ${Math.floor(bound + 1e-9)} updates are possible (R/γ)², with R = ${
      show(radius(this.points))} and the largest margin γ = ${show(this.gamma)}.` : "No line separates these points: there is no bound, and the rule never stops.";
    this.status.setAttribute("aria-live", this.timer ? "off" : "polite");      // no torrent of words while it runs
    this.status.textContent = `${note} Updates: ${this.updates}. ${limit} Mistakes now: ${wrong} of ${this.points.length}. Weights (${
      this.w.map(show).join(", ")}). Margin of this line: ${margin === null ? "none yet" : show(margin)}. ${this.done ? "A whole pass is right: the rule has stopped." : ""}`.trim();
  }

  /** The inside of the drawing. */
  picture() {
    const X = (/** @type {number} */ x) => (x / HALF + 1) * SIZE / 2, Y = (/** @type {number} */ y) => (1 - y / HALF) * SIZE / 2;
    const [a, b, c] = this.w, flat = Math.hypot(a, b), gap = this.margin(true);
    /** @type {(shift: number, look: string) => string} */
    const line = (shift, look) => {                 // a x + b y + c = shift
      const fx = a * (shift - c) / flat ** 2, fy = b * (shift - c) / flat ** 2, ux = -b / flat * 20, uy = a / flat * 20;
      return `<line x1="${X(fx - ux)}" y1="${Y(fy - uy)}" x2="${X(fx + ux)}" y2="${Y(fy + uy)}" style="stroke: var(--ink, #111); ${look}"/>`;
    };
    const axes = `<path d="M0 ${SIZE / 2}H${SIZE}M${SIZE / 2} 0V${SIZE}" style="stroke: var(--rule, #bbbbbb); fill: none"/>`;
    const band = flat && gap > 0 ? line(gap * flat, "stroke-dasharray: 4 4") + line(-gap * flat, "stroke-dasharray: 4 4") : "";
    const marks = this.points.map((p) => {
      const ring = p === this.last ? `<circle cx="${X(p.x)}" cy="${Y(p.y)}" r="13" style="fill: none; stroke: var(--ink, #111); stroke-width: 2"/>` : "";
      const shape = p.label === 1 ? `<path d="M${X(p.x)} ${Y(p.y) - 8}l8 14h-16z" style="fill: ${CLASSES[1].colour}"/>`
        : `<circle cx="${X(p.x)}" cy="${Y(p.y)}" r="7" style="fill: ${CLASSES[-1].colour}"/>`;
      return ring + shape;
    });
    const cross = `<path class="dl-cross" d="M${X(this.cross.x) - 10} ${Y(this.cross.y)}h20m-10 -10v20" style="stroke: var(--ink, #111); stroke-width: 2; fill: none"/>`;
    return axes + band + (flat ? line(0, "stroke-width: 2.5") : "") + marks.join("") + cross;
  }
}

customElements.define("dl-perceptron", Perceptron);
