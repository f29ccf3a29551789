/** The most that the server gives at once. */
const MOST = 100;

/**
 * Ask page by page, the newest first, until as many rows as wanted are there.
 *
 * @template {{id: number}} Row
 * @param {(page: {limit: number, before?: number}) => Promise<Row[]>} ask
 * @param {Row[]} rows what is there already
 * @param {number} wanted more than there are
 * @returns {Promise<{rows: Row[], hasMore: boolean}>}
 */
export async function gather(ask, rows, wanted) {
  for (;;) {
    const limit = Math.min(MOST, wanted - rows.length);
    const before = rows.length ? { before: rows[rows.length - 1].id } : {};
    const found = await ask({ limit, ...before });
    rows = [...rows, ...found];
    if (found.length < limit) return { rows, hasMore: false };
    if (rows.length >= wanted) return { rows, hasMore: true };
  }
}
