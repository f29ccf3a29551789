/**
 * @typedef {object} Canned
 * @property {number} id
 * @property {"own" | "team" | "all"} scope
 * @property {number | null} team
 * @property {string} shortcut
 * @property {string} title
 * @property {string} folder
 * @property {string} body
 * @property {string} language
 * @property {Record<string, string>} translations by tag
 * @property {boolean} may_change
 *
 * @typedef {{visitor: string, agent: string, site: string}} Names
 */

const SHOWN_MAX = 8;
const ASKED = /(?:^|\s)\/([\p{L}\p{N}_.-]*)$/u;

/**
 * @param {string} before what stands before the caret
 * @returns {string | null} what is looked for; null: nothing is
 */
export function askedFor(before) {
  return ASKED.exec(before)?.[1] ?? null;
}

/**
 * Those that fit, best first: a shortcut that begins so, then any words.
 * @param {Canned[]} rows
 * @param {string} asked
 */
export function fitting(rows, asked) {
  const word = asked.toLowerCase();
  /** @type {(row: Canned) => number} */
  const rank = (row) => {
    const shortcut = row.shortcut.toLowerCase();
    if (shortcut === word && word) return 0;
    if (shortcut.startsWith(word)) return shortcut ? 1 : 2;
    return `${row.title}\n${row.folder}\n${row.body}`.toLowerCase().includes(word) ? 3 : 9;
  };
  const ranked = rows.map((row) => ({ row, at: rank(row) })).filter(({ at }) => at < 9);
  return ranked.sort((a, b) => a.at - b.at).slice(0, SHOWN_MAX).map(({ row }) => row);
}

/**
 * @param {string} one
 * @param {string} other
 * @returns {boolean} who reads the one reads the other
 */
function areSame(one, other) {
  try {
    const [a, b] = [one, other].map((tag) => new Intl.Locale(tag).maximize());
    return a.language === b.language && a.script === b.script;
  } catch {
    return false;
  }
}

/**
 * @param {Canned} row
 * @param {string} language of who is to read it
 */
export function bodyIn({ body, translations }, language) {
  const tag = language in translations ? language : Object.keys(translations).find((each) => areSame(each, language));
  return tag === undefined ? body : translations[tag];
}

/**
 * What a visitor reads, as far as its conversation tells: what agents' texts were last
 * translated to, or the visitor's own from.
 * @param {{kind: string, ref?: number | null, seq?: number, sender: string, data?: Record<string, any> | null}[]} lines
 */
export function languageIn(lines) {
  const senders = new Map(lines.map(({ seq, sender }) => [seq, sender]));
  // What only other agents read says nothing of the visitor.
  const told = lines.filter(({ kind, data }) => kind === "translation" && data && !data.failed && data.for !== "agents").at(-1);
  const isTheirs = told && senders.get(told.ref ?? undefined)?.startsWith("v");
  return String((isTheirs ? told.data?.from : told?.data?.to) ?? "");
}

/**
 * @param {string} body
 * @param {Names} names
 */
export function withNames(body, names) {
  return body.replace(/\{(visitor|agent|site)\}/g, (_, name) => names[/** @type {keyof Names} */ (name)]);
}
