/**
 * <dl-quiz>: the chapter's quiz. Without script, or where the browser cannot unpack the data, the questions that the page
 * holds stand with their folded answers. With it, each question is answered, marked and explained here; the answers stay in
 * this browser. Its data lies beside the page in a script of one call, dlbookQuiz(packed), made by
 * press/quiz/page.py: a script loads from a folder too, where fetch is refused.
 */
import { control, el, rich } from "./controls.js";
import { feedback, figures, mark } from "./marking.js";
import { Store } from "./store.js";

export const store = new Store();

/** @param {string} packed base64 of raw deflate @returns {Promise<object>} */
export async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.trim()), character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}

/** @param {string} src address of a <page>.quiz.js @returns {Promise<object>} its data, links led to the chapter's page */
export function fetchQuiz(src) {
  return loadScript(src, "dlbookQuiz", async packed => led(await unpack(packed), new URL(src, document.baseURI)));
}

/** Run a script of one call `name(value)`. @param {(value: *) => *} use what to make of the value @returns {Promise<*>} */
export function loadScript(src, name, use) {
  return new Promise((resolve, reject) => {
    const script = el("script", { src, onerror: () => reject(new Error(`${src} did not load`)) });
    globalThis[name] = value => waiting.get(document.currentScript)(value);
    waiting.set(script, value => resolve(use(value)));
    document.head.append(script);
  });
}

const waiting = new Map();

/** Links and pictures as seen from the chapter's page, made right for the page that shows them. */
function led(data, base) {
  const page = new URL(data.page, base), here = location.href.split("#")[0];
  const address = (whole, name, link) => {
    const to = new URL(link.replaceAll("&amp;", "&"), page).href;
    return `${name}="${to.startsWith(`${here}#`) ? to.slice(here.length) : to}"`;
  };
  const text = JSON.stringify(data, (_, value) => typeof value === "string" && value.includes("=\"")
    ? value.replace(/\b(href|src)="([^"]*)"/g, address) : value);
  return JSON.parse(text);
}

/** Numbers 0 to n - 1 in an order that follows from the reader and the words alone (mulberry32 on a hash of them). */
export function shuffle(n, ...words) {
  let state = [...words.join("\n")].reduce((hash, character) => Math.imul(hash ^ character.codePointAt(0), 0x01000193), 0x811c9dc5);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const order = [...Array(n).keys()];
  for (let i = n - 1; i > 0; i -= 1) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function entries(question) {
  return (question.options ?? question.pairs ?? question.regions ?? [...(question.items ?? []), ...(question.distractors ?? [])]).length;
}

/** A sorted order would be the answer: where chance gives it, turn it round. */
function shuffled(question, ...words) {
  const order = shuffle(entries(question), ...words);
  return question.kind === "order" && order.every((place, i) => place === i) ? order.reverse() : order;
}

/** One question of the quiz, from its first look to its explanation. */
export class Card {
  /**
   * @param {object} source the question with its variants @param {number} number as the reader counts
   * @param {{later?: boolean, practice?: boolean, keep?: boolean, changed?: () => void}} how later: marked at the end, not
   * one by one; keep: put back what was answered before
   */
  constructor(source, number, how = {}) {
    Object.assign(this, { source, number, how, share: null });
    const entry = store.get(source.id, source.hash);
    this.variant = (how.keep ? entry?.first && entry.last.variant : source.variants.length > 1 ? Math.floor(Math.random() * source.variants.length) : 0) ?? 0;
    this.element = el("section", { className: `question kind-${source.kind}`, id: `q-${source.id}` });
    this.draw();
    if (how.keep && entry?.first && entry.last.response !== null) this.restore(entry.last);
  }

  draw() {
    const { source, number } = this, named = `p-${source.id}`;
    this.question = { ...source.variants[this.variant], kind: source.kind };
    this.control = control(this.question, shuffled(this.question, store.seed, source.id, this.variant), named);
    this.control.element.addEventListener("input", () => { if (this.result.hasChildNodes()) this.tell("", [], null); });
    this.result = el("div", { className: "quiz-result", "aria-live": "polite", tabIndex: -1 });
    this.check = el("button", { type: "button", className: "quiz-check", onclick: () => this.mark() }, "Check");
    this.check.hidden = Boolean(this.how.later);
    this.buttons = el("p", { className: "quiz-buttons" }, this.confidence(), this.check);
    const parts = [el("span", { className: "quiz-count" }, String(number)),
      rich("div", this.question.prompt, { className: "quiz-prompt", id: named }),
      source.kind === "single" ? null : el("p", { className: "quiz-ask" }, this.question.ask), this.control.element, this.buttons, this.result];
    this.element.replaceChildren(...parts.filter(Boolean));
    this.share = null;
  }

  confidence() {
    const radio = (value, word) => el("label", {}, el("input", { type: "radio", name: `sure-${this.source.id}`, value }), ` ${word}`);
    return el("span", { className: "quiz-sure", role: "radiogroup", "aria-label": "How sure are you?" }, "I am", radio("sure", "sure"), radio("unsure", "unsure"));
  }

  /** @returns {boolean | null} whether the reader was sure, null where they did not say */
  sure() {
    const chosen = this.buttons.querySelector("input:checked");
    return chosen ? chosen.value === "sure" : null;
  }

  /** Mark what is there, keep it, and say what the reader needs next. @returns {number | null} */
  mark() {
    const response = this.control.read();
    if (response === null) return this.tell("", [el("p", {}, this.source.kind === "match" ? "Choose a partner for each first." : "Answer first.")], null);
    if (this.marked === JSON.stringify([response, this.sure()])) return this.share;      // it stands there marked
    this.share = mark(this.question, response);
    store.record(this.source.id, this.source.hash, { share: this.share, at: Date.now(), sure: this.sure(), response,
      variant: this.variant, practice: Boolean(this.how.practice) });
    this.explain(response);
    this.how.changed?.();
    return this.share;
  }

  restore(answer) {
    this.control.show(answer.response);
    for (const input of this.buttons.querySelectorAll("input")) input.checked = answer.sure === (input.value === "sure");
    this.share = answer.share;
    this.explain(answer.response);
  }

  explain(response) {
    const { question, share } = this, given = feedback(question, response, share).map(html => rich("div", html));
    const few = share === 1 && question.figures && figures(response) < question.figures;
    if (few) given.push(el("p", {}, `Give ${question.figures} significant figures when you report it.`));
    const verdict = share === 1 ? "Right." : share > 0 ? `Partly right: ${Math.round(100 * share)} %.` : "Not yet.";
    const read = el("p", {}, "Read ", rich("span", this.source.section), share === 1 ? "." : ", then try again.");
    const after = share === 1 ? [rich("div", question.explanation)] : [read];
    this.tell(share === 1 ? "right" : share > 0 ? "partly" : "wrong", [el("p", { className: "quiz-verdict" }, verdict), ...given, ...after], this.next());
    this.marked = JSON.stringify([response, this.sure()]);
  }

  /** What can be done next: try again, another variant, see the answer. */
  next() {
    const button = (text, action) => el("button", { type: "button", onclick: action }, text);
    const again = this.share < 1 && !this.how.exam ? button("Try again", () => { this.tell("", [], null); this.first()?.focus(); }) : null;
    const fresh = this.source.variants.length > 1 ? button("New variant", () => this.renew()) : null;
    const answer = this.share < 1 ? button("Show the answer", () => this.reveal()) : null;
    return el("p", { className: "quiz-buttons" }, again, fresh, answer);
  }

  renew() {
    this.variant = (this.variant + 1) % this.source.variants.length;
    this.draw();
    this.first()?.focus();
  }

  get answered() { return this.control.read() !== null && !this.control.idle?.(); }

  /** @returns {HTMLElement} where answering begins */
  first() { return this.element.querySelector(":is(input, select, textarea, button, [tabindex='0']):not(:disabled)"); }

  reveal() {
    this.result.lastElementChild.before(el("div", { className: "quiz-key" }, el("p", {}, el("b", {}, "The answer")),
      rich("div", this.question.key), rich("div", this.question.explanation)));
    [...this.result.querySelectorAll("button")].at(-1).remove();
    this.result.focus({ preventScroll: true });
  }

  tell(state, content, buttons) {
    this.element.dataset.state = state;
    this.marked = null;
    this.result.replaceChildren(...content, ...(buttons ? [buttons] : []));
    return null;
  }
}

/** Notes what stands at the top of the window. @returns {() => void} brings it, or what has its id by then, back there */
function place() {
  const asked = document.getElementById(location.hash.slice(1)), at = asked?.getBoundingClientRect().top;
  const seen = at >= 0 && at < innerHeight ? asked : document.elementFromPoint(innerWidth / 2, 90)?.closest(".question, p, figure, pre, main > *");
  const top = seen?.getBoundingClientRect().top;
  return () => {
    const now = seen?.isConnected ? seen : document.getElementById(seen?.id);
    if (now) scrollBy({ top: now.getBoundingClientRect().top - top, behavior: "instant" });
  };
}

class Quiz extends HTMLElement {
  async connectedCallback() {
    if (this.cards || !("DecompressionStream" in globalThis)) return;
    this.cards = [];
    this.data = await fetchQuiz(this.getAttribute("src"));
    this.start({ keep: true });
    store.addEventListener("trouble", () => this.say());
    store.addEventListener("change", () => this.count());
  }

  /** @param {{keep?: boolean, later?: boolean, practice?: boolean}} how */
  start(how) {
    const back = place();
    this.how = how;
    this.cards = this.data.questions.map((question, i) => new Card(question, i + 1, { ...how, changed: () => this.count() }));
    this.trouble = el("p", { className: "quiz-trouble", role: "status" });
    this.score = el("div", { className: "quiz-score", tabIndex: -1 });
    this.replaceChildren(this.head(), this.trouble, ...this.cards.map(card => card.element), this.foot(), this.score);
    this.say();
    this.count();
    back();
  }

  head() {
    const later = el("input", { type: "checkbox", checked: Boolean(this.how.later), onchange: () => {
      this.how.later = later.checked;
      this.all.hidden = !later.checked;
      for (const card of this.cards) card.check.hidden = later.checked;
    } });
    return el("div", { className: "quiz-head" },
      el("p", {}, "For you alone, no exam: your answers stay in this browser, and the keys come with the page, only packed."),
      el("label", {}, later, " Mark all at the end"));
  }

  foot() {
    this.all = el("button", { type: "button", className: "quiz-check", hidden: !this.how.later, onclick: () => this.markAll() }, "Mark all");
    const again = el("button", { type: "button", onclick: () => this.again() }, "Practise again, keeping my score");
    return el("p", { className: "quiz-buttons" }, this.all, again);
  }

  markAll() {
    for (const card of this.cards) if (card.answered) card.mark();
    this.score.focus();
  }

  again() {
    this.start({ practice: true, later: this.how.later });
    this.cards[0].first()?.focus();
  }

  say() { if (this.trouble) this.trouble.textContent = store.trouble; }

  /** The score of each outcome, over the questions answered so far. */
  count() {
    const rows = Object.entries(this.data.outcomes).map(([id, text]) => {
      const asked = this.data.questions.filter(question => question.outcome === id);
      const answers = asked.map(question => store.get(question.id, question.hash)).filter(entry => entry?.first).map(entry => entry.last);
      return { text, asked: asked.length, answered: answers.length, points: answers.reduce((sum, answer) => sum + answer.share, 0) };
    }).filter(row => row.asked);
    const sum = name => rows.reduce((total, row) => total + row[name], 0);
    if (!sum("answered")) return this.score.replaceChildren();
    const row = ({ text, asked, answered, points }) => el("tr", {}, rich("th", text, { scope: "row" }), el("td", {}, `${round(points)} of ${answered}`), el("td", {}, String(asked - answered)));
    this.score.replaceChildren(el("table", {}, el("caption", {}, `Your score: ${round(sum("points"))} of ${sum("answered")} answered, ${sum("asked")} in all.`),
      el("thead", {}, el("tr", {}, ...["You can …", "right", "open"].map(head => el("th", { scope: "col" }, head)))),
      el("tbody", {}, ...rows.map(row))));
  }
}

export function round(points) { return String(Math.round(10 * points) / 10); }

if (!customElements.get("dl-quiz")) customElements.define("dl-quiz", Quiz);
