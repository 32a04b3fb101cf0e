/**
 * <dl-exam>: a recap quiz or a mock exam of questions drawn from the chapters. Its plan, a script of one call beside the page,
 * holds for each form the chapter, question and variant in each place. An exam is marked at the end, against the clock
 * where the reader wants it, and ends with a report; a recap marks as one goes.
 *
 * @typedef {{chapter: string, id: string, variant: number, section: string, points: number}} Place
 * @typedef {{title: string, kind: "recap" | "exam", minutes: number | null, quizzes: Object<string, string>, forms: Place[][]}} Plan
 */
import { el, rich } from "./controls.js";
import { Card, fetchQuiz, loadScript, round } from "./quiz.js";

/** Leaving in the middle would lose what is not marked yet: the browser asks first. */
function stay(event) { event.preventDefault(); }

class Exam extends HTMLElement {
  async connectedCallback() {
    if (this.plan || !("DecompressionStream" in globalThis)) return;
    this.plan = await loadScript(this.getAttribute("src"), "dlbookExam", plan => plan);
    this.offer();
  }

  disconnectedCallback() { clearInterval(this.clock); removeEventListener("beforeunload", stay); }

  /** The choice of a form and of the clock, before anything is shown. */
  offer() {
    const { forms, kind, minutes } = this.plan;
    const form = el("select", { id: "exam-form" }, ...forms.map((_, i) => el("option", { value: String(i) }, String.fromCharCode(65 + i))));
    const timed = el("input", { type: "checkbox", checked: false });
    this.replaceChildren(el("p", { className: "quiz-buttons quiz" },
      el("label", { htmlFor: "exam-form" }, "Form "), form,
      minutes ? el("label", {}, timed, ` with the clock, ${minutes} minutes`) : null,
      el("button", { type: "button", className: "quiz-check", onclick: () => this.begin(Number(form.value), timed.checked) },
        kind === "exam" ? "Begin the exam" : "Begin")));
  }

  async begin(form, timed) {
    const places = this.plan.forms[form], chapters = [...new Set(places.map(place => place.chapter))];
    const data = new Map(await Promise.all(chapters.map(async id => [id, await fetchQuiz(this.beside(this.plan.quizzes[id]))])));
    this.outcomes = Object.assign({}, ...[...data].map(([id, quiz]) => Object.fromEntries(
      Object.entries(quiz.outcomes).map(([outcome, text]) => [`${id}/${outcome}`, text]))));
    this.cards = places.map((place, i) => {
      const source = data.get(place.chapter).questions.find(question => question.id === place.id);
      const one = { ...source, variants: [source.variants[place.variant % source.variants.length]] };
      return { place, source, card: new Card(one, i + 1, { later: this.plan.kind === "exam", exam: this.plan.kind === "exam", practice: true }) };
    });
    const parts = grouped(this.cards);
    this.time = el("p", { className: "exam-time", role: "timer" });
    this.finish = el("button", { type: "button", className: "quiz-check", onclick: () => this.end() }, this.plan.kind === "exam" ? "Hand in" : "See the report");
    this.report = el("section", { className: "quiz-score", tabIndex: -1 });
    this.replaceChildren(this.time, ...parts.map(([title, cards]) => el("section", { className: "quiz" },
      el("h2", {}, `${title} `, el("small", {}, `${cards.length} × ${cards[0].place.points} points`)), ...cards.map(({ card }) => card.element))),
      el("p", { className: "quiz-buttons quiz" }, this.finish), this.report);
    this.began = Date.now();
    addEventListener("beforeunload", stay);
    if (timed) this.tick();
    this.querySelector("h2").tabIndex = -1;
    this.querySelector("h2").focus();
  }

  beside(path) { return new URL(path, new URL(this.getAttribute("src"), document.baseURI)).href; }

  /** Once a second; spoken at ten, five and one minute, for readers who hear the page. */
  tick() {
    const ends = this.began + this.plan.minutes * 60000;
    let before = Infinity;
    const show = () => {
      const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
      this.time.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
      this.time.setAttribute("aria-live", [600, 300, 60, 0].some(mark => left <= mark && mark < before) ? "assertive" : "off");
      before = left;
      if (left === 0) this.end("Time is up. ");
    };
    this.clock = setInterval(show, 1000);
    show();
  }

  /** Mark what is answered; what is not earns nothing. */
  end(why = "") {
    clearInterval(this.clock);
    removeEventListener("beforeunload", stay);
    this.time.textContent = "";
    this.finish.disabled = true;
    for (const { card } of this.cards) if (card.share === null && card.answered) card.mark();
    const minutes = Math.max(1, Math.round((Date.now() - this.began) / 60000));
    const total = sum(this.cards, () => 1), earned = sum(this.cards, ({ card }) => card.share ?? 0);
    const again = el("button", { type: "button", onclick: () => this.offer() }, "Another form");
    this.report.replaceChildren(el("h2", {}, "Report"),
      el("p", {}, `${why}${round(earned)} of ${total} points, ${Math.round(100 * earned / total)} %, in ${minutes} ${minutes === 1 ? "minute" : "minutes"}; ` +
        `${this.cards.filter(({ card }) => card.share === null).length} left out. A practice: your scores in the chapters stay as they are.`),
      this.table("By section", ({ place }) => place.section), this.table("What to read again", ({ place, source }) => `${place.chapter}/${source.outcome}`, true),
      el("p", { className: "quiz-buttons quiz" }, again));
    this.report.focus();
  }

  /** Points by group; with `weakest`, only groups that lost some, the weakest first, each with its section. */
  table(caption, group, weakest = false) {
    let rows = grouped(this.cards, group).map(([name, cards]) => ({ name, all: sum(cards, () => 1), got: sum(cards, ({ card }) => card.share ?? 0), read: cards[0].source.section }));
    if (weakest) rows = rows.filter(row => row.got < row.all).sort((a, b) => a.got / a.all - b.got / b.all);
    if (!rows.length) return null;
    const last = ({ read }) => weakest ? rich("td", read) : null;
    return el("table", {}, el("caption", {}, caption), el("tbody", {}, ...rows.map(row => el("tr", {},
      rich("th", this.outcomes[row.name] ?? row.name, { scope: "row" }), el("td", {}, `${round(row.got)} of ${row.all}`), last(row)))));
  }
}

/** Points of some cards, each share weighted by its place. */
function sum(cards, share) { return cards.reduce((total, entry) => total + entry.place.points * share(entry), 0); }

function grouped(cards, group = ({ place }) => place.section) {
  const groups = new Map();
  for (const entry of cards) groups.set(group(entry), [...(groups.get(group(entry)) ?? []), entry]);
  return [...groups];
}

if (!customElements.get("dl-exam")) customElements.define("dl-exam", Exam);
