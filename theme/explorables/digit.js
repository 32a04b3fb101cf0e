/**
 * <dl-digit>: draw a digit; the chapter's own network reads it. The network comes as JSON inside the element, written by
 * dlbook.cnn.save_network; each step here equals the layer of dlbook.cnn.load_network that has the same name.
 */

/** @typedef {{data: Float32Array, shape: number[]}} Tensor  shape [channels, height, width] or [n] */
/** @typedef {{shape: number[], scale: number[], data: string}} Packed */
/** @typedef {{kind: string, weight?: Packed, bias?: number[] | null, stride?: number, size?: number, scale?: number[], shift?: number[]}} Layer */

const SIDE = 28, BOX = 20, ZOOM = 10;

/** One byte a value, a scale for each row. @param {Packed} packed @returns {Tensor} */
function unpack(packed) {
  const bytes = Int8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0)), row = bytes.length / packed.scale.length;
  return { shape: packed.shape, data: Float32Array.from(bytes, (value, i) => value * packed.scale[Math.floor(i / row)]) };
}

/** @type {Record<string, (x: Tensor, layer: any) => Tensor>}  each layer's forward pass */
const FORWARD = {
  conv(x, { kernel, bias, stride }) {
    const [inputs, height, width] = x.shape, [out, , k] = kernel.shape;
    const rows = Math.floor((height - k) / stride) + 1, columns = Math.floor((width - k) / stride) + 1;
    const data = new Float32Array(out * rows * columns);
    for (let o = 0, at = 0; o < out; o++) for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++, at++) {
      let sum = bias ? bias[o] : 0;
      for (let c = 0; c < inputs; c++) for (let a = 0; a < k; a++) for (let b = 0; b < k; b++)
        sum += kernel.data[((o * inputs + c) * k + a) * k + b] * x.data[(c * height + i * stride + a) * width + j * stride + b];
      data[at] = sum;
    }
    return { shape: [out, rows, columns], data };
  },
  linear(x, { kernel, bias }) {
    const [out, n] = kernel.shape, data = new Float32Array(out);
    for (let o = 0; o < out; o++) {
      let sum = bias ? bias[o] : 0;
      for (let i = 0; i < n; i++) sum += kernel.data[o * n + i] * x.data[i];
      data[o] = sum;
    }
    return { shape: [out], data };
  },
  affine(x, { scale, shift }) {
    const places = x.data.length / scale.length;
    return { ...x, data: x.data.map((value, i) => value * scale[Math.floor(i / places)] + shift[Math.floor(i / places)]) };
  },
  pool(x, { size }) {
    const [channels, height, width] = x.shape, rows = Math.floor(height / size), columns = Math.floor(width / size);
    const data = new Float32Array(channels * rows * columns).fill(-Infinity);
    for (let c = 0; c < channels; c++) for (let i = 0; i < rows * size; i++) for (let j = 0; j < columns * size; j++) {
      const at = (c * rows + Math.floor(i / size)) * columns + Math.floor(j / size);
      data[at] = Math.max(data[at], x.data[(c * height + i) * width + j]);
    }
    return { shape: [channels, rows, columns], data };
  },
  relu: (x) => ({ ...x, data: x.data.map((value) => Math.max(value, 0)) }),
  flatten: (x) => ({ shape: [x.data.length], data: x.data }),
};

/** dlbook.cnn.frame for a single picture: scaled to the box, its centre of mass in the middle. @param {ArrayLike<number>} ink */
function frame(ink, height = SIDE, width = SIDE) {
  const least = 0.1 * Math.max(...Array.from(ink)), on = Array.from(ink, (value, i) => (value > least ? i : -1)).filter((i) => i >= 0);
  if (!on.length) return new Float32Array(SIDE * SIDE);
  const rows = on.map((i) => Math.floor(i / width)), columns = on.map((i) => i % width);
  const step = Math.max(...[rows, columns].map((places) => Math.max(...places) - Math.min(...places) + 1)) / BOX;
  let mass = 0, down = 0, right = 0;
  for (let i = 0; i < ink.length; i++) { mass += ink[i]; down += ink[i] * Math.floor(i / width); right += ink[i] * (i % width); }
  const get = (/** @type {number} */ i, /** @type {number} */ j) => (i < 0 || j < 0 || i >= height || j >= width ? 0 : ink[i * width + j]);
  return Float32Array.from({ length: SIDE * SIDE }, (_, at) => {
    const y = down / mass + (Math.floor(at / SIDE) - SIDE / 2) * step, x = right / mass + (at % SIDE - SIDE / 2) * step;
    const i = Math.floor(y), j = Math.floor(x), v = y - i, u = x - j;
    return (1 - v) * ((1 - u) * get(i, j) + u * get(i, j + 1)) + v * ((1 - u) * get(i + 1, j) + u * get(i + 1, j + 1));
  });
}

class Digit extends HTMLElement {
  connectedCallback() {
    const script = this.querySelector('script[type="application/json"]');
    if (this.pad || !script) return;
    try {
      this.network = JSON.parse(script.textContent ?? "");
      this.layers = this.network.layers.map((/** @type {Layer} */ layer) => (layer.weight ? { ...layer, kernel: unpack(layer.weight) } : layer));
    } catch { return; }                             // the still picture stays
    const fallback = document.createElement("div"), app = document.createElement("div");
    fallback.className = "dl-fallback";
    fallback.append(...this.childNodes);
    app.className = "dl-digit";
    app.innerHTML = this.markup();
    this.append(fallback, app);
    this.pad = /** @type {HTMLCanvasElement} */ (app.querySelector(".dl-pad"));
    this.ink = new Float32Array(SIDE * SIDE);
    this.pen = { x: 14, y: 6, down: false };
    this.wire(app);
    if (this.network.examples?.length) this.example(this.network.examples.length > 3 ? 3 : 0);
    else this.read();
  }

  markup() {
    const buttons = (this.network.examples ?? []).map((/** @type {{label: number}} */ example, /** @type {number} */ i) =>
      `<button type="button" class="dl-example" data-i="${i}">a ${example.label}</button>`).join("");
    const rows = Array.from({ length: 10 }, (_, digit) => `<tr><th scope="row">${digit}</th><td class="dl-track"><span></span></td><td class="dl-share"></td></tr>`).join("");
    return `<style>
      @media screen { dl-digit .dl-fallback { display: none } }
      @media print { dl-digit .dl-digit { display: none } }
      .dl-digit .dl-columns { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start }
      .dl-digit .dl-pad { width: min(100%, 17.5rem); aspect-ratio: 1; touch-action: none; image-rendering: pixelated; cursor: crosshair; border: 1px solid var(--rule, #999) }
      .dl-digit .dl-pad:focus-visible { outline: 3px solid var(--accent, #06c); outline-offset: 2px }
      .dl-digit table { border-collapse: collapse; margin: 0; width: auto; font-variant-numeric: tabular-nums; display: table }
      .dl-digit th, .dl-digit td { padding: .05rem .4rem; border: 0 }
      .dl-digit .dl-track { width: 8rem } .dl-digit .dl-track span { display: block; height: .8rem; background: var(--c1, #1a6bdc); min-width: 1px }
      .dl-digit .dl-share { text-align: right; min-width: 3.5rem }
      .dl-digit .dl-maps { display: flex; flex-wrap: wrap; gap: 3px } .dl-digit .dl-maps canvas { width: 36px; image-rendering: pixelated; border: 1px solid var(--rule, #999) }
      .dl-digit .dl-seen { width: 84px; image-rendering: pixelated; border: 1px solid var(--rule, #999) }
      .dl-digit figure { margin: .6rem 0 } .dl-digit figcaption { margin: 0 0 .25rem; font-size: .875rem }
    </style>
    <div class="dl-columns"><div><canvas class="dl-pad" width="${SIDE * ZOOM}" height="${SIDE * ZOOM}" tabindex="0" role="application" aria-roledescription="drawing pad"
      aria-label="Drawing pad of 28 by 28 pixels. Arrow keys move the pen, Space puts it down or lifts it, Delete clears. Or draw with a pointer."></canvas></div>
    <div><table><caption class="visually-hidden">Probability of each digit</caption><tbody>${rows}</tbody></table></div></div>
    <div class="dl-controls"><button type="button" class="dl-clear">Clear</button> <span>Or load a test digit:</span> ${buttons}</div>
    <div class="dl-controls"><label><input type="checkbox" class="dl-framing" checked> frame the drawing as MNIST was framed</label></div>
    <p class="dl-status" role="status" aria-live="polite"></p>
    <div class="dl-columns"><figure><figcaption>What the network receives</figcaption><canvas class="dl-seen" width="${SIDE}" height="${SIDE}" role="img" aria-label="The drawing after framing"></canvas></figure>
    <figure><figcaption>First layer</figcaption><div class="dl-maps" role="img"></div></figure>
    <figure><figcaption>Second layer, after pooling</figcaption><div class="dl-maps" role="img"></div></figure></div>`;
  }

  /** @param {HTMLElement} app */
  wire(app) {
    app.querySelector(".dl-clear")?.addEventListener("click", () => this.clear());
    app.querySelectorAll(".dl-example").forEach((button, i) => button.addEventListener("click", () => this.example(i)));
    app.querySelector(".dl-framing")?.addEventListener("change", () => this.read());
    this.pad.addEventListener("keydown", (event) => this.key(event));
    this.pad.addEventListener("focus", () => this.paint());
    this.pad.addEventListener("blur", () => this.paint());
    const draw = (/** @type {PointerEvent} */ event) => {
      const box = this.pad.getBoundingClientRect();
      this.line((event.clientX - box.left) / box.width * SIDE - 0.5, (event.clientY - box.top) / box.height * SIDE - 0.5);
    };
    this.pad.addEventListener("pointerdown", (event) => {
      this.fresh();
      this.pad.setPointerCapture(event.pointerId);
      this.pen.down = false;
      draw(event);
      this.pen.down = true;
      draw(event);
    });
    this.pad.addEventListener("pointermove", (event) => { if (event.buttons && this.pen.down) draw(event); });
    this.pad.addEventListener("pointerup", () => { this.pen.down = false; this.read(); });
    this.pad.addEventListener("pointercancel", () => { this.pen.down = false; });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const keep = (/** @type {number} */ place) => Math.max(0, Math.min(SIDE - 1, Math.round(place)));
    if (by) this.line(keep(this.pen.x + by[0]), keep(this.pen.y + by[1]));
    else if (event.key === " " || event.key === "Enter") {
      this.fresh();
      this.pen.down = !this.pen.down;
      this.line(this.pen.x, this.pen.y);
    } else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else return;
    event.preventDefault();
  }

  /** An example makes way for a drawing of one's own. */
  fresh() {
    if (this.loaded) this.ink = new Float32Array(SIDE * SIDE);
    this.loaded = "";
  }

  clear() {
    this.ink = new Float32Array(SIDE * SIDE);
    Object.assign(this, { loaded: "", pen: { ...this.pen, down: false } });
    this.read();
  }

  /** @param {number} i */
  example(i) {
    const { label, pixels } = this.network.examples[i];
    this.ink = Float32Array.from(atob(pixels), (letter) => letter.charCodeAt(0) / 255);
    Object.assign(this, { loaded: `A test digit, labelled ${label}. `, pen: { ...this.pen, down: false } });
    this.read();
  }

  /** Move the pen there; where it is down, leave a soft stroke. @param {number} x @param {number} y */
  line(x, y) {
    const { x: fromX, y: fromY } = this.pen, steps = Math.ceil(2 * Math.hypot(x - fromX, y - fromY)) || 1;
    for (let s = 0; this.pen.down && s <= steps; s++) {
      const px = fromX + (x - fromX) * s / steps, py = fromY + (y - fromY) * s / steps;
      for (let i = Math.max(0, Math.floor(py - 2)); i <= Math.min(SIDE - 1, py + 2); i++)
        for (let j = Math.max(0, Math.floor(px - 2)); j <= Math.min(SIDE - 1, px + 2); j++)
          this.ink[i * SIDE + j] = Math.max(this.ink[i * SIDE + j], Math.min(1, 1.9 - Math.hypot(i - py, j - px)));
    }
    Object.assign(this.pen, { x, y });
    this.read();
  }

  /** The network's outputs for 784 pixels from 0 to 1. @param {ArrayLike<number>} pixels @returns {{logits: number[], maps: Tensor[]}} */
  forward(pixels) {
    const { mean, std } = this.network, maps = [];
    let x = { shape: [1, SIDE, SIDE], data: Float32Array.from(pixels, (value) => (value - mean) / std) };
    for (const layer of this.layers) {
      x = FORWARD[layer.kind](x, layer);
      if (layer.kind === "relu" && x.shape.length === 3) maps.push(x);
    }
    return { logits: Array.from(x.data), maps };
  }

  /** @param {ArrayLike<number>} ink */
  frame(ink, height = SIDE, width = SIDE) { return frame(ink, height, width); }

  /** Read what is on the pad and show everything. */
  read() {
    const framing = /** @type {HTMLInputElement} */ (this.querySelector(".dl-framing")).checked, blank = !this.ink.some((value) => value > 0);
    const pixels = framing && !this.loaded ? frame(this.ink) : this.ink, { logits, maps } = this.forward(pixels);
    const top = Math.max(...logits), odds = logits.map((z) => Math.exp(z - top)), total = odds.reduce((a, b) => a + b);
    const share = odds.map((odd) => (blank ? 0 : odd / total)), order = share.map((_, i) => i).sort((a, b) => share[b] - share[a]);
    this.querySelectorAll("dl-digit tbody tr").forEach((row, digit) => {
      /** @type {HTMLElement} */ (row.querySelector("span")).style.width = `${100 * share[digit]}%`;
      /** @type {HTMLElement} */ (row.querySelector(".dl-share")).textContent = blank ? "" : `${(100 * share[digit]).toFixed(1)} %`;
    });
    const percent = (/** @type {number} */ digit) => `${digit} (${(100 * share[digit]).toFixed(0)} %)`;
    /** @type {HTMLElement} */ (this.querySelector(".dl-status")).textContent = (this.loaded ?? "") + (blank ? "The pad is empty: draw a digit." :
      `The network reads ${percent(order[0])}, then ${percent(order[1])}.`) + (this.pen.down ? ` Pen down at column ${Math.round(this.pen.x)}, row ${Math.round(this.pen.y)}.` : "");
    Object.assign(this.dataset, { reading: blank ? "none" : String(order[0]), logits: JSON.stringify(logits) });
    this.picture(/** @type {HTMLCanvasElement} */ (this.querySelector(".dl-seen")), pixels, 1);
    this.querySelectorAll(".dl-maps").forEach((place, i) => this.maps(/** @type {HTMLElement} */ (place), maps[i]));
    this.paint();
  }

  /** One small picture for each channel. @param {HTMLElement} place @param {Tensor} map */
  maps(place, map) {
    const [channels, height, width] = map.shape, size = height * width, most = Math.max(...map.data) || 1;
    const sums = Array.from({ length: channels }, (_, c) => map.data.slice(c * size, (c + 1) * size).reduce((a, b) => a + b));
    place.setAttribute("aria-label", `${channels} maps of ${height} by ${width}; number ${1 + sums.indexOf(Math.max(...sums))} is the most active`);
    for (let c = 0; c < channels; c++) {
      const canvas = place.children[c] ?? place.appendChild(document.createElement("canvas"));
      Object.assign(canvas, { width, height });
      this.picture(/** @type {HTMLCanvasElement} */ (canvas), map.data.slice(c * size, (c + 1) * size), most);
    }
  }

  /** Dark ink on white paper, in both themes. @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} values @param {number} most */
  picture(canvas, values, most) {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), image = context.createImageData(canvas.width, canvas.height);
    for (let i = 0; i < values.length; i++) image.data.set([0, 1, 2].map(() => 255 * (1 - Math.min(1, Math.max(0, values[i] / most)))).concat(255), 4 * i);
    context.putImageData(image, 0, 0);
  }

  /** The pad: its ink, and the pen while the keyboard holds it. */
  paint() {
    const context = /** @type {CanvasRenderingContext2D} */ (this.pad.getContext("2d"));
    for (let i = 0; i < this.ink.length; i++) {
      context.fillStyle = `rgb(${Array(3).fill(Math.round(255 * (1 - this.ink[i]))).join(",")})`;
      context.fillRect(i % SIDE * ZOOM, Math.floor(i / SIDE) * ZOOM, ZOOM, ZOOM);
    }
    if (document.activeElement !== this.pad) return;
    context.strokeStyle = this.pen.down ? "#bf4a00" : "#1a6bdc";
    context.lineWidth = 2;
    context.strokeRect(this.pen.x * ZOOM - 4, this.pen.y * ZOOM - 4, ZOOM + 8, ZOOM + 8);
  }
}

customElements.define("dl-digit", Digit);
