/** @typedef {{text: string, isMark: boolean}} Piece */

const PIECES_MAX = 50;

/**
 * Cut a snippet where its words begin and end.
 * @param {string} snippet
 * @param {[number, number][]} marks ascending, apart, counted in whole characters: the
 *   server knows no halves of an emoji
 * @returns {Piece[]}
 */
export function cut(snippet, marks) {
  const characters = [...snippet];
  /** @type {Piece[]} */
  const pieces = [];
  let at = 0;
  const take = (/** @type {number} */ to, /** @type {boolean} */ isMark) => {
    if (to > at) pieces.push({ text: characters.slice(at, to).join(""), isMark });
    at = Math.max(at, to);
  };
  for (const [from, to] of marks) {
    take(from, false);
    take(to, true);
  }
  take(characters.length, false);
  return pieces;
}

/**
 * Find in whole messages what was found in snippets.
 * @param {string} text as typed
 * @param {string[]} found what is marked in the snippets, as it stands there
 * @returns {RegExp | null} null when there is nothing to look for
 */
export function finderOf(text, found) {
  const words = [...new Set([...found, ...text.trim().split(/\s+/u)])].filter(Boolean).slice(0, PIECES_MAX);
  if (!words.length) return null;
  words.sort((a, b) => b.length - a.length);
  return new RegExp(words.map(wordPattern).join("|"), "giu");
}

/** @param {string} word */
function wordPattern(word) {
  const escaped = word.replace(/[\\^$.*+?()[\]{}|/-]/g, (sign) => `\\u{${sign.charCodeAt(0).toString(16)}}`);
  // Words with spaces between them are found whole only, Chinese as written.
  const before = /^[\p{L}\p{N}]/u.test(word) && !isCjk(word) ? "(?<![\\p{L}\\p{N}])" : "";
  const after = /[\p{L}\p{N}]$/u.test(word) && !isCjk(word) ? "(?![\\p{L}\\p{N}])" : "";
  return before + escaped + after;
}

/** @param {string} word */
function isCjk(word) {
  return /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(word);
}

/**
 * @param {string} body
 * @param {RegExp | null} finder
 * @returns {Piece[]}
 */
export function markWords(body, finder) {
  if (!finder) return [{ text: body, isMark: false }];
  /** @type {Piece[]} */
  const pieces = [];
  let at = 0;
  for (const match of body.matchAll(finder)) {
    if (match.index > at) pieces.push({ text: body.slice(at, match.index), isMark: false });
    if (match[0]) pieces.push({ text: match[0], isMark: true });
    at = match.index + match[0].length;
  }
  if (at < body.length || !pieces.length) pieces.push({ text: body.slice(at), isMark: false });
  return pieces;
}
