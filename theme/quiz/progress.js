/**
 * <dl-progress>: what the reader has answered, by chapter, outcome and course; what is due today, answered in place; the
 * record as a file, taken in again, erased. The book's questions come from quiz-index.js, a script of one call.
 *
 * @typedef {{id: string, hash: string, outcome: string, lines: string[], difficulty: number}} Known
 * @typedef {{id: string, title: string, number: string, part: string, url: string, quiz: string, outcomes: Object<string, string>,
 *   questions: Known[]}} Chapter
 */
import { el, rich } from "./controls.js";
import { Card, fetchQuiz, loadScript, round, store } from "./quiz.js";
import { dump, erase, load } from "./record.js";

const AT_ONCE = 12;                 // due questions shown together
const DAY_MS = 24 * 60 * 60 * 1000;

/** @param {string} src @returns {Promise<{chapters: Chapter[], courses: object, lines: object}>} */
export function fetchIndex(src) {
  return loadScript(src, "dlbookIndex", index => index);
}

/** Answers over some questions: how many, how many answered, the points of the last answers. */
export function tally(questions) {
  const entries = questions.map(question => store.get(question.id, question.hash)).filter(entry => entry?.first);
  const share = which => entries.reduce((sum, entry) => sum + (which(entry)?.share ?? 0), 0);
  return { all: questions.length, answered: entries.length, points: share(entry => entry.last), first: share(entry => entry.first) };
}

/** @returns {Known[]} the questions whose day has come, the longest overdue first */
export function dueNow(questions, now = Date.now()) {
  const when = question => store.get(question.id, question.hash)?.due ?? Infinity;
  return questions.filter(question => when(question) <= now).sort((a, b) => when(a) - when(b));
}

class Progress extends HTMLElement {
  async connectedCallback() {
    if (this.index) return;
    this.index = await fetchIndex(this.getAttribute("src"));
    this.questions = this.index.chapters.flatMap(chapter => chapter.questions.map(question => ({ ...question, chapter })));
    this.trouble = el("p", { className: "quiz-trouble", role: "status" });
    this.due = el("section", { "aria-label": "To review today" });
    this.tables = el("section", { "aria-label": "Scores" });
    this.replaceChildren(this.trouble, this.due, this.tables, this.files());
    store.addEventListener("change", () => this.draw());
    store.addEventListener("trouble", () => this.draw());
    this.draw();
  }

  draw() {
    this.trouble.textContent = store.trouble;
    if (!this.due.querySelector("dl-quiz, .question")) this.drawDue();
    this.tables.replaceChildren(this.byChapter(), this.byCourse());
  }

  // ---- what is due -----------------------------------------------------------------------------------------------------

  drawDue() {
    const due = dueNow(this.questions), soon = dueNow(this.questions, Date.now() + DAY_MS).length - due.length;
    const words = due.length ? `${count(due.length, "question")} to review today, ${soon} more tomorrow.`
      : store.trouble && !tally(this.questions).answered ? "" : `Nothing to review today${soon ? `, ${soon} tomorrow` : ""}.`;
    const start = due.length ? el("button", { type: "button", className: "quiz-check", onclick: () => this.review(due.slice(0, AT_ONCE)) },
      `Review ${count(Math.min(due.length, AT_ONCE), "question")} now`) : null;
    this.due.replaceChildren(el("h2", {}, "To review today"), el("p", {}, words), el("p", { className: "quiz-buttons" }, start),
      el("p", { className: "quiz-said" }, "Questions come back by the Leitner system: after 1, 2, 4, 8, 16 and 32 days, further away each " +
        "time you are right and sure of it, tomorrow when you are not right."));
  }

  /** The due questions themselves, answered here. */
  async review(due) {
    const chapters = [...new Set(due.map(question => question.chapter))];
    const data = new Map(await Promise.all(chapters.map(async chapter => [chapter, await fetchQuiz(this.beside(chapter.quiz))])));
    const cards = due.flatMap(question => {
      const source = data.get(question.chapter).questions.find(entry => entry.id === question.id);
      return source ? [new Card(source, 0, { practice: true })] : [];
    });
    cards.forEach((card, i) => { card.element.querySelector(".quiz-count").textContent = String(i + 1); });
    const done = el("button", { type: "button", onclick: () => { this.due.replaceChildren(); this.draw(); this.due.querySelector("button, h2")?.focus(); } }, "Done");
    this.due.replaceChildren(el("h2", { tabIndex: -1 }, "To review today"), el("div", { className: "quiz" }, ...cards.map(card => card.element)),
      el("p", { className: "quiz-buttons" }, done));
    this.due.querySelector("h2").focus();
  }

  /** @param {string} path relative to the index @returns {string} as seen from this page */
  beside(path) { return new URL(path, new URL(this.getAttribute("src"), document.baseURI)).href; }

  // ---- scores ----------------------------------------------------------------------------------------------------------

  /** Each part's sum, and its chapters below it. */
  byChapter() {
    const asked = this.index.chapters.filter(chapter => chapter.questions.length);
    const rows = [...new Set(asked.map(chapter => chapter.part))].flatMap(part => {
      const own = asked.filter(chapter => chapter.part === part);
      return [[part, tally(own.flatMap(chapter => chapter.questions)), "quiz-part"], ...own.map(chapter => this.chapterRow(chapter))];
    });
    return table("By part and chapter", ["Part, chapter", "answered", "right now", "right at first"], rows);
  }

  chapterRow(chapter) {
    const link = el("a", { href: this.beside(chapter.url) }, `${chapter.number}  ${chapter.title}`);
    const outcomes = Object.entries(chapter.outcomes).map(([id, text]) => {
      const own = tally(chapter.questions.filter(question => question.outcome === id));
      return own.all ? el("li", {}, rich("span", text), ` ${round(own.points)} of ${own.all}`, this.nextOf(chapter, id)) : null;
    });
    const folded = el("details", {}, el("summary", {}, "outcomes"), el("ul", {}, ...outcomes));
    return [el("div", {}, link, folded), tally(chapter.questions)];
  }

  /** A link to the first question of an outcome that is not right yet. */
  nextOf(chapter, outcome) {
    const open = question => !((store.get(question.id, question.hash)?.last.share ?? 0) === 1);
    const next = chapter.questions.find(question => question.outcome === outcome && open(question));
    return next ? el("span", {}, ", next: ", el("a", { href: this.beside(`${chapter.url}#q-${next.id}`) }, `question ${chapter.questions.indexOf(next) + 1}`)) : null;
  }

  byCourse() {
    const rows = Object.entries(this.index.courses).map(([letter, title]) => {
      const own = this.questions.filter(question => question.lines.some(line => line.startsWith(letter)));
      return own.length ? [el("a", { href: this.beside(`courses/${letter}.html`) }, title), tally(own)] : null;
    });
    return table("By course", ["Course", "answered", "right now", "right at first"], rows.filter(Boolean));
  }

  // ---- the record as a file --------------------------------------------------------------------------------------------

  files() {
    const said = el("p", { className: "quiz-said", "aria-live": "polite" });
    const input = el("input", { type: "file", accept: ".json,application/json", id: "progress-file", onchange: () => this.take(input, said) });
    const button = (text, action) => el("button", { type: "button", onclick: action }, text);
    return el("section", { className: "quiz", "aria-label": "Your record" }, el("h2", {}, "Your record"),
      el("p", {}, "It is in this browser only. Take it to another one as a file, or keep a copy."),
      el("p", { className: "quiz-buttons" }, button("Download my progress", () => download("dlbook-progress.json", dump(store))),
        button("Erase my progress", () => this.erase(said))),
      el("p", {}, el("label", { htmlFor: "progress-file" }, "Add a file that you downloaded: "), input), said);
  }

  async take(input, said) {
    const file = input.files[0];
    if (!file) return;
    try {
      said.textContent = `Added: the file holds answers to ${count(load(store, await file.text()), "question")}.`;
    } catch (error) {
      said.textContent = error.message;
    }
    input.value = "";
  }

  erase(said) {
    const answered = Object.keys(store.state.answers).length;
    if (!answered) { said.textContent = "There is nothing to erase."; return; }
    if (!globalThis.confirm(`Erase your answers to ${count(answered, "question")}? Download them first if you may want them back.`)) return;
    erase(store);
    said.textContent = "Erased.";
  }
}

function table(caption, heads, rows) {
  const cells = ({ all, answered, points, first }) => [`${answered} of ${all}`, answered ? round(points) : "–", answered ? round(first) : "–"];
  const row = ([name, own, kind = ""]) => el("tr", { className: kind }, el("th", { scope: "row" }, name), ...cells(own).map(text => el("td", {}, text)));
  return el("div", { className: "table-wide quiz-score", tabIndex: 0, role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...heads.map(head => el("th", { scope: "col" }, head)))),
      el("tbody", {}, ...rows.map(row))));
}

function count(n, word) { return `${n} ${word}${n === 1 ? "" : "s"}`; }

/** Hand the reader a file. */
export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

if (!customElements.get("dl-progress")) customElements.define("dl-progress", Progress);
