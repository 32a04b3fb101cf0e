/**
 * When to see a question again: the Leitner system (S. Leitner, So lernt man lernen, 1972), six boxes. A right answer that
 * the reader was sure of moves the question one box up, a right but unsure one leaves it where it is, a wrong or partly
 * right one puts it back into the first. A box says in how many days the question is due.
 */

export const DAYS = [1, 2, 4, 8, 16, 32];
const DAY = 24 * 60 * 60 * 1000;

/** @param {number} box 0 for a new question, else 1 to 6 @param {number} share 0 to 1 @param {boolean} sure */
export function nextBox(box, share, sure) {
  if (share < 1) return 1;
  return Math.min(DAYS.length, sure ? box + 1 : Math.max(1, box));
}

/** @param {number} at milliseconds of the answer @returns {number} milliseconds when the question is due */
export function due(box, at) { return at + DAYS[box - 1] * DAY; }
