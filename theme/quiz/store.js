/**
 * The reader's answers, kept in this browser under one key and nowhere else. Every write reads what is there first and
 * merges, so that two tabs lose nothing; what cannot be read is set aside, never overwritten; what cannot be written stays
 * in memory, and the reader is told.
 *
 * @typedef {{share: number, at: number, sure: boolean | null, response: *, variant: number, practice: boolean}} Answer
 * @typedef {{hash: string, first: Answer | null, last: Answer, tries: number, box: number, due: number}} Entry
 */
import { due, nextBox } from "./schedule.js";

export const KEY = "dlbook-progress";
export const VERSION = 2;
export const ASIDE = `${KEY}-unreadable`;

export class Store extends EventTarget {
  /** @param {Storage | null} storage localStorage, or null where the browser blocks it */
  constructor(storage = available()) {
    super();
    this.storage = storage;
    this.trouble = storage ? "" : "This browser keeps no data for this page, so your answers last until you close it. " +
      "Download your progress before you do.";
    this.state = empty();
    this.frozen = false;                                           // a newer book wrote it: read, never write
    this.read();
    globalThis.addEventListener?.("storage", event => { if (event.key === KEY || event.key === null) this.read(); });
  }

  /** Take over what is stored, merged with what is only in memory. */
  read() {
    const text = attempt(() => this.storage?.getItem(KEY)) ?? null;
    const found = text === null ? empty() : parse(text);
    if (!found) this.setAside(text);
    else if (found.version > VERSION) {
      this.frozen = true;
      this.say("Your answers were stored by a newer edition of the book; this one leaves them as they are and keeps yours until you close the page.");
    } else this.state = merge(found, this.state);
    this.dispatchEvent(new Event("change"));
  }

  setAside(text) {
    const kept = attempt(() => { this.storage.setItem(ASIDE, text); this.storage.removeItem(KEY); return true; });
    this.frozen = !kept;
    this.say(kept ? `What was stored of your answers could not be read; it is set aside under “${ASIDE}” and a new record begins.`
      : "What was stored of your answers could not be read and is left as it is; new answers last until you close the page.");
  }

  say(sentence) { this.trouble = sentence; this.dispatchEvent(new Event("trouble")); }

  /** @param {boolean} merging with what another tab wrote in the meantime */
  write(merging = true) {
    if (!this.storage || this.frozen) return this.dispatchEvent(new Event("change"));
    const there = parse(attempt(() => this.storage.getItem(KEY)) ?? "null");
    if (merging && there && there.version <= VERSION) this.state = merge(there, this.state);
    try {
      this.storage.setItem(KEY, JSON.stringify(this.state));
      this.trouble = "";
    } catch {
      this.say("The browser's storage is full or closed; your latest answers last until you close this page. Download your progress to keep them.");
    }
    this.dispatchEvent(new Event("change"));
  }

  /** @returns {Entry | null} what is known of a question, unless the question was edited since */
  get(id, hash) {
    const entry = this.state.answers[id];
    return entry && entry.hash === hash ? entry : null;
  }

  /** @param {Answer} answer an answer just marked; practice answers move the boxes and leave the score alone */
  record(id, hash, answer) {
    const before = this.get(id, hash);
    const box = nextBox(before?.box ?? 0, answer.share, answer.sure !== false);
    const counted = answer.practice && before?.first ? before.last : answer;
    this.state.answers[id] = { hash, first: before?.first ?? (answer.practice ? null : answer), last: counted,
      tries: (before?.tries ?? 0) + 1, box, due: due(box, answer.at), seen: answer.at };
    this.write();
  }

  /** @returns {number} the reader's own number, from which the order of options follows */
  get seed() {
    if (!this.state.seed) { this.state.seed = 1 + Math.floor(Math.random() * 2 ** 31); this.write(); }
    return this.state.seed;
  }
}

export function empty() { return { version: VERSION, seed: 0, erased: 0, settings: {}, answers: {} }; }

export function attempt(action) { try { return action(); } catch { return undefined; } }

/** localStorage where it can be written to, else null. */
function available() {
  return attempt(() => {
    const storage = globalThis.localStorage;
    storage.setItem(`${KEY}-probe`, "1");
    storage.removeItem(`${KEY}-probe`);
    return storage;
  }) ?? attempt(() => globalThis.localStorage.getItem(KEY) === null ? null : globalThis.localStorage) ?? null;
}

/** The state in a text, brought to this version; null where it is none. */
export function parse(text) {
  const raw = attempt(() => JSON.parse(text));
  if (!raw || typeof raw !== "object" || !Number.isInteger(raw.version) || typeof raw.answers !== "object" || !raw.answers) return null;
  if (raw.version > VERSION) return raw;
  const sound = Object.entries(raw.answers).map(([id, entry]) => [id, raw.version === 1 ? upgrade(entry) : entry]).filter(([, entry]) => isEntry(entry));
  return { version: VERSION, seed: Number.isInteger(raw.seed) ? raw.seed : 0, erased: Number(raw.erased) || 0, settings: { ...raw.settings },
    answers: Object.fromEntries(sound) };
}

/** Version 1 kept {hash, share, at} for each question. */
function upgrade(old) {
  const answer = { share: old?.share, at: old?.at, sure: null, response: null, variant: 0, practice: false };
  const box = nextBox(0, old?.share, true);
  return { hash: old?.hash, first: answer, last: answer, tries: 1, box, due: due(box, old?.at ?? 0), seen: old?.at };
}

function isAnswer(answer) { return answer && Number.isFinite(answer.share) && answer.share >= 0 && answer.share <= 1 && Number.isFinite(answer.at); }

function isEntry(entry) {
  return entry && typeof entry.hash === "string" && isAnswer(entry.last) && (entry.first === null || isAnswer(entry.first)) &&
    Number.isFinite(entry.due) && entry.box >= 1 && entry.box <= 6;
}

/** Both records in one: of a question answered in both, the later answer and the earlier first try. */
export function merge(a, b) {
  const answers = { ...a.answers }, erased = Math.max(a.erased, b.erased);
  for (const [id, entry] of Object.entries(b.answers)) {
    const other = answers[id];
    answers[id] = !other ? entry : other.hash === entry.hash ? both(other, entry) : later(other, entry);
  }
  const kept = Object.entries(answers).filter(([, entry]) => (entry.seen ?? entry.last.at) > erased);
  return { version: VERSION, seed: a.seed || b.seed, erased, settings: { ...a.settings, ...b.settings },
    answers: Object.fromEntries(kept) };
}

function later(a, b) { return (a.seen ?? a.last.at) > (b.seen ?? b.last.at) ? a : b; }

function both(a, b) {
  const newest = later(a, b), firsts = [a.first, b.first].filter(Boolean).sort((x, y) => x.at - y.at);
  return { ...newest, first: firsts[0] ?? null, tries: Math.max(a.tries, b.tries) };
}
