/** Search: Pagefind's index over http(s), a plain list of sections over file://, in one dialog. */

/** @typedef {{ url: string, title: string, section: string, html: string }} Hit excerpt as HTML, safe to insert */
/** @typedef {{ url: string, title: string, section: string, text: string }} Entry of search-index.js */

const LIMIT = 12;
const root = new URL(document.documentElement.dataset.root || "./", document.baseURI);
const ICON = '<svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="8.500" cy="8.500" r="5.500"/><path d="m13 13 5 5"/></svg>';

/** @param {string} text */
const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[c]));

/** @param {string} text */
const fold = (text) => text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();

/** @returns {Promise<(query: string) => Promise<Hit[]>>} the search that this page's address allows */
async function engine() {
  return location.protocol === "file:" ? plain(await list()) : pagefind();
}

/** Pagefind, with hits by section. */
async function pagefind() {
  const found = await import(new URL("pagefind/pagefind.js", root).href);
  await found.options({ excerptLength: 24 });
  await found.init();
  return async (/** @type {string} */ query) => {
    const { results } = await found.search(query);
    const pages = await Promise.all(results.slice(0, 6).map((/** @type {any} */ result) => result.data()));
    return pages.flatMap(sections).slice(0, LIMIT);
  };
}

/**
 * @param {any} page a Pagefind result
 * @returns {Hit[]} its two sections with most of the words
 */
function sections(page) {
  const ranked = (page.sub_results || []).toSorted((/** @type {any} */ a, /** @type {any} */ b) => weight(b) - weight(a));
  const parts = ranked.length ? ranked.slice(0, 2) : [page];
  return parts.map((/** @type {any} */ part) => ({
    url: part.url, title: page.meta.title, html: part.excerpt,
    section: part.title && part.title !== page.meta.title ? part.title : "",
  }));
}

/** @param {{ excerpt: string, locations: number[] }} part different words found count before repeated ones */
function weight({ excerpt, locations }) {
  const words = new Set([...excerpt.matchAll(/<mark>(.*?)<\/mark>/g)].map(([, word]) => fold(word).replace(/\W+$/, "")));
  return words.size + locations.length / (1 + locations.length);
}

/** @returns {Promise<Entry[]>} the sections in search-index.js; a module cannot be imported from file:// */
function list() {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: new URL("search-index.js", root).href });
    script.onload = () => resolve(/** @type {any} */ (globalThis).dlbookSearch);
    script.onerror = () => reject(new Error("search-index.js is missing"));
    document.head.append(script);
  });
}

/** @param {Entry[]} entries */
function plain(entries) {
  const folded = entries.map((entry) => ({ entry, head: fold(`${entry.title} ${entry.section}`), text: fold(entry.text) }));
  return async (/** @type {string} */ query) => {
    const words = fold(query).split(/\s+/).filter(Boolean);
    return folded.map((item) => ({ ...item, score: score(item, words, fold(query.trim())) })).filter((item) => item.score)
      .sort((a, b) => b.score - a.score).slice(0, LIMIT)
      .map(({ entry, text }) => ({ ...entry, url: new URL(entry.url, root).href, html: excerpt(entry.text, text, words) }));
  };
}

/**
 * Every word must occur; headings and the whole phrase weigh more.
 * @param {{ head: string, text: string }} item
 * @param {string[]} words
 * @param {string} phrase
 */
function score({ head, text }, words, phrase) {
  if (!words.length || !words.every((word) => head.includes(word) || text.includes(word))) return 0;
  const heads = words.filter((word) => head.includes(word)).length;
  return 1 + 4 * heads + (head.includes(phrase) ? 6 : 0) + (text.includes(phrase) ? 3 : 0);
}

/**
 * @param {string} text
 * @param {string} folded
 * @param {string[]} words
 * @returns {string} HTML around the first hit, words marked
 */
function excerpt(text, folded, words) {
  const at = Math.max(0, Math.min(...words.map((word) => (folded.indexOf(word) + 1 || Infinity) - 1), text.length) - 60);
  const start = at && at < text.length ? text.indexOf(" ", at) + 1 : 0, piece = text.slice(start, start + 190);
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  const marked = piece.split(pattern).map((part, i) => (i % 2 ? `<mark>${escape(part)}</mark>` : escape(part))).join("");
  return `${start ? "… " : ""}${marked}${start + 190 < text.length ? " …" : ""}`;
}

/** `<dl-search>`: the button and its dialog; "/" opens it too. */
class Search extends HTMLElement {
  connectedCallback() {
    this.innerHTML = `<button class="icon-button search-open" type="button" aria-haspopup="dialog" title="Search (/)">${ICON}
      <span class="hint" aria-hidden="true">Search</span><kbd class="hint" aria-hidden="true">/</kbd>
      <span class="visually-hidden">Search the book</span></button>`;
    this.dialog = document.body.appendChild(this.makeDialog());
    this.input = /** @type {HTMLInputElement} */ (this.dialog.querySelector("input"));
    this.hits = /** @type {HTMLUListElement} */ (this.dialog.querySelector("ul"));
    this.output = /** @type {HTMLOutputElement} */ (this.dialog.querySelector("output"));
    this.querySelector("button").addEventListener("click", () => this.open());
    this.input.addEventListener("input", () => this.run());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog || (event.target instanceof Element && event.target.closest("li a"))) this.dialog.close();
    });
    document.addEventListener("keydown", (event) => this.slash(event));
  }

  /** @returns {HTMLDialogElement} */
  makeDialog() {
    const dialog = document.createElement("dialog");
    dialog.className = "search";
    dialog.setAttribute("aria-label", "Search the book");
    dialog.innerHTML = `<form method="dialog" role="search"><label class="visually-hidden" for="search-field">Search the book</label>
      <input id="search-field" type="search" autocomplete="off" spellcheck="false" enterkeyhint="go">
      <button class="button" value="close">Close</button></form><ul></ul><output role="status"></output>`;
    return dialog;
  }

  open() {
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.input.select();
    this.engine ??= engine().catch(() => { this.engine = undefined; return null; });
  }

  /** @param {KeyboardEvent} event */
  slash(event) {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    event.preventDefault();
    this.open();
  }

  /** Search for what is in the field; a later answer to an earlier question is dropped. */
  async run() {
    const query = this.input.value.trim(), find = await this.engine;
    if (query !== this.input.value.trim()) return;
    if (!find) this.show([], "The search index is not here: build the book to search it.");
    else if (!query) this.show([], "");
    else {
      const hits = await find(query);
      if (query !== this.input.value.trim()) return;
      this.show(hits, hits.length ? `${hits.length} ${hits.length === 1 ? "section" : "sections"}` : `Nothing found for “${query}”`);
    }
  }

  /**
   * @param {Hit[]} hits
   * @param {string} message
   */
  show(hits, message) {
    this.hits.innerHTML = hits.map((hit) => `<li><a href="${escape(hit.url)}"><span class="search-title">${escape(hit.section || hit.title)}</span>
      ${hit.section ? `<span class="search-place">${escape(hit.title)}</span>` : ""}<span class="search-text">${hit.html}</span></a></li>`).join("");
    this.output.textContent = message;
  }

  /** @param {KeyboardEvent} event arrows move between the field and the results, Enter in the field opens the first */
  key(event) {
    const links = [...this.hits.querySelectorAll("a")], here = links.findIndex((link) => link === document.activeElement);
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Escape") {                       // in a search field the browser would only empty it
      event.preventDefault();
      this.dialog.close();
    } else if (event.key === "Enter" && document.activeElement === this.input) {
      event.preventDefault();
      links[0]?.click();
    } else if (step) {
      event.preventDefault();
      (links[here + step] || (step > 0 ? links[here] : this.input))?.focus();
    }
  }
}

customElements.define("dl-search", Search);
