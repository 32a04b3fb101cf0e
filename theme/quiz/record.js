/** The reader's whole record as a file, taken in again, erased: what only the progress page does with a store. */
import { ASIDE, VERSION, attempt, empty, merge, parse } from "./store.js";

/** @returns {string} everything, as the file that `load` reads */
export function dump(store) { return JSON.stringify({ book: "dlbook", ...store.state }, null, 1); }

/** Merge a file made by `dump`. @returns {number} how many questions it holds; throws Error with one sentence */
export function load(store, text) {
  const found = parse(text);
  if (!found) throw new Error("This file holds no progress of this book; choose a file that “Download my progress” made.");
  if (found.version > VERSION) throw new Error("This file comes from a newer edition of the book; read it there.");
  store.state = { ...merge({ ...found, erased: 0 }, { ...store.state, erased: 0 }) };
  store.write(false);
  return Object.keys(found.answers).length;
}

/** Forget every answer, here and in the other tabs: they drop what is older than this moment. */
export function erase(store) {
  store.state = { ...empty(), erased: Date.now() };
  attempt(() => store.storage?.removeItem(ASIDE));
  store.frozen = false;
  store.write(false);
}
