/**
 * @typedef {object} Entry a translation that an agent wants kept
 * @property {number} id
 * @property {number} site
 * @property {string} source empty: any language
 * @property {string} target
 * @property {string} text
 * @property {string} translation
 * @property {number} agent
 * @property {number} updated_at
 * @property {boolean} may_delete
 *
 * @typedef {(before: number | undefined) => Promise<Entry[] | null>} Page null: it was refused
 */

export const PAGE = 100;

/**
 * All of a site: searching is done here, and a site has few of them.
 * @param {Page} page asks for those before an id, at most `PAGE`
 * @returns {Promise<Entry[] | null>}
 */
export async function allOf(page) {
  /** @type {Entry[]} */
  const entries = [];
  for (;;) {
    const rows = await page(entries.at(-1)?.id);
    if (!rows) return null;
    entries.push(...rows);
    if (rows.length < PAGE) return entries;
  }
}

/**
 * @param {Entry[]} entries
 * @param {string} wanted words, all of which are in one of them, in any order
 */
export function fitting(entries, wanted) {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter(({ source, target, text, translation }) => {
    const all = [source, target, text, translation].join("\n").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}
