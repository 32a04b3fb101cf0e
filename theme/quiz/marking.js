/**
 * Marking, the same as press/quiz/marking.py: the share of a question that a response earns, from 0 to 1.
 * Responses: single, an index; multiple, indices; number, text, shape, output, what was written; order, indices of entries
 * (items first, then distractors); match, the index of the right side for each pair; spot, [x, y, aspect], x and y in per cent.
 */

/** @param {object} question one variant with its kind @param {*} response @returns {number} 0 to 1 */
export function mark(question, response) {
  switch (question.kind) {
    case "single": return choice(question, [response]);
    case "multiple": return choice(question, response);
    case "number": return readings(question, response).some(value => accepts(question, value)) ? 1 : 0;
    case "text": case "shape": case "output": return textRight(question, response) ? 1 : 0;
    case "order": return order(question, response);
    case "match": return question.pairs.filter((_, i) => response[i] === i).length / question.pairs.length;
    case "spot": return question.regions[region(question, ...response)]?.right ? 1 : 0;
  }
  throw new TypeError(`${question.kind} is no kind of question that can be marked`);
}

/** The feedback that a response asks for, as html; several where several options were chosen. @returns {string[]} */
export function feedback(question, response, share) {
  switch (question.kind) {
    case "single": return [question.options[response].feedback];
    case "multiple": return multiple(question, response, share);
    case "number": {
      const values = readings(question, response);
      const known = question.wrong.filter(entry => values.some(value => near(value, Number(entry.answer))));
      return share === 1 ? [] : known.slice(0, 1).map(entry => entry.feedback);
    }
    case "text": case "shape": case "output": {
      const given = plain(question.kind, response);
      return question.wrong.filter(entry => share < 1 && plain(question.kind, entry.answer) === given).map(entry => entry.feedback);
    }
    case "spot": return [question.regions[region(question, ...response)]?.feedback ?? question.missed];
    default: return share === 1 ? [] : [question.feedback];
  }
}

/** Wrong choices first, each with its feedback; when only right ones are missing, say so without naming them. */
function multiple(question, chosen, share) {
  const wrong = chosen.filter(i => !question.options[i].right).map(i => question.options[i].feedback);
  const short = share < 1 && !wrong.length ? ["What you chose is right; there is more to choose."] : [];
  return share === 1 ? chosen.map(i => question.options[i].feedback) : [...wrong, ...short];
}

function choice(question, chosen) {
  const right = question.options.filter(option => option.right).length;
  const hits = chosen.filter(i => question.options[i]?.right).length;
  return Math.max(0, hits - (chosen.length - hits)) / right;
}

/** The longest run of entries in the right relative order, less the distractors used, over the number of items. */
function order(question, given) {
  const places = given.filter(i => i < question.items.length), ends = [];
  for (const place of places) {
    const at = ends.findIndex(end => end >= place);
    ends[at < 0 ? ends.length : at] = place;
  }
  return Math.max(0, ends.length - (given.length - places.length)) / question.items.length;
}

/** The region that a place falls into, the nearest of several. aspect: the picture's height over its width. */
export function region(question, x, y, aspect = 1) {
  const distances = question.regions.map(r => Math.hypot(x - r.x, (y - r.y) * aspect) / r.radius);
  const nearest = distances.indexOf(Math.min(...distances));
  return distances[nearest] <= 1 ? nearest : null;
}

// ---- numbers ---------------------------------------------------------------------------------------------------------

const MINUS = /[−‐‑–—﹣－]/g;
const PLAIN_NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function near(a, b) { return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b)); }

function accepts(question, value) {
  const allowed = Math.max(question.tolerance, question.relative * Math.abs(question.answer));
  return Math.abs(value - question.answer) <= allowed + 1e-9 * Math.abs(question.answer);
}

/** Every number that the text may mean, in the answer's unit; a comma may be the decimal point or part thousands. */
export function readings(question, written) {
  let text = digits(written.normalize("NFKC")).replace(MINUS, "-").replaceAll("٫", ".").trim(), factor = 1;
  const known = Object.entries({ ...(question.unit === "%" ? {} : { "%": 0.01 }), ...(question.unit ? { [question.unit]: 1 } : {}),
    ...question.units }).sort(([a], [b]) => b.length - a.length);
  for (const [unit, value] of known) {
    const plainUnit = unit.normalize("NFKC");
    const rest = text.endsWith(plainUnit) ? text.slice(0, -plainUnit.length).trimEnd() : "";
    if (rest && !/\p{L}$/u.test(rest)) { [text, factor] = [rest, value]; break; }
  }
  const joined = text.replace(/[\s'’_]+(?=\d)/g, "").replace(/(?<=\d)[\s'’_]+$/, "");
  return commas(joined).map(number).filter(value => value !== null).map(value => value * factor);
}

/** Digits of any script as 0-9. */
function digits(text) {
  return text.replace(/\p{Nd}/gu, digit => {
    if (/[0-9]/.test(digit)) return digit;
    let value = 0;                                     // decimal digits stand in runs of ten from zero
    while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(digit.codePointAt(0) - value - 1))) value += 1;
    return String(value);
  });
}

function commas(text) {
  if (!text.includes(",")) return [text];
  const forms = text.split(",").length === 2 && !text.includes(".") ? [text.replace(",", ".")] : [];
  if (/^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(text)) forms.push(text.replaceAll(",", ""));
  if (/^[+-]?\d{1,3}(\.\d{3})+,\d+$/.test(text)) forms.push(text.replaceAll(".", "").replace(",", "."));
  return forms;
}

function number(text) {
  const plainText = text.trim().replace(/\s*[×x·*⋅]\s*10\s*\^?\s*([+-]?\d+)$|^([+-]?)10\s*\^\s*([+-]?\d+)$/i,
    (_, power, sign, alone) => power ? `e${power}` : `${sign}1e${alone}`);
  const parts = plainText.split("/").map(part => part.trim());
  if (parts.length > 2 || !parts.every(part => PLAIN_NUMBER.test(part))) return null;
  const [above, below = 1] = parts.map(Number);
  return below === 0 ? null : above / below;
}

/** How many significant figures a written number has; trailing zeros of a whole number count. */
export function figures(written) {
  return digits(written.normalize("NFKC")).split(/[eE×x·*⋅]/)[0].replace(/\D/g, "").replace(/^0+/, "").length;
}

// ---- words, shapes and printed text ----------------------------------------------------------------------------------

function textRight(question, written) {
  return question.accept.some(text => plain(question.kind, text) === plain(question.kind, written));
}

/** A short answer as it is compared; see `plain` of press/quiz/marking.py. */
export function plain(kind, written) {
  const text = String(written).normalize("NFKC").replace(MINUS, "-");
  if (kind === "output") return text.trim().split(/\r\n|\r|\n/).map(line => line.trimEnd()).join("\n");
  if (kind === "shape") {
    const sizes = text.toLowerCase().replaceAll("torch.size", "").replace(/(?<=\d)\s*[x×*]\s*(?=\d)/g, ",");
    return (sizes.match(/-?[\p{L}\p{N}_]+/gu) ?? []).join(",");
  }
  const words = fold(text).replace(/[‘’“”'"`]/g, "").replace(/(?<=\p{L})-(?=\p{L})/gu, " ");
  return words.trim().split(/\s+/).join(" ").replace(/[. ]+$/, "").replace(/\s*([(),[\]=])\s*/g, "$1");
}

/** Case folding as far as it matters here: ß as ss. */
function fold(text) { return text.toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ"); }
