/** @import {Visit} from "./line.js" */

/**
 * @typedef {"arrived" | "visitor" | "page" | "onPage" | "pages" | "source"} By
 * @typedef {{by: By, isDown: boolean}} Order
 */

const URGENT = ["queued", "active"];

/** @type {Record<Exclude<By, "arrived">, (a: Visit, b: Visit) => number>} */
const ORDERS = {
  visitor: (a, b) => rank(a) - rank(b) || (a.place ?? 0) - (b.place ?? 0),
  page: (a, b) => (a.url < b.url ? -1 : Number(a.url > b.url)),
  onPage: (a, b) => b.at - a.at,
  pages: (a, b) => a.pages - b.pages,
  source: (a, b) => (a.source < b.source ? -1 : Number(a.source > b.source)),
};

/**
 * @param {Visit} visit
 * @returns {number} who waits first, then who talks, then all others
 */
function rank({ status }) {
  const at = URGENT.indexOf(status);
  return at < 0 ? URGENT.length : at;
}

/**
 * Sort so that a row moves only when what it is sorted by has changed: among equals the
 * one who came first stays above.
 * @param {Visit[]} visits
 * @param {Order} order
 * @returns {Visit[]}
 */
export function sorted(visits, { by, isDown }) {
  const sign = isDown ? -1 : 1;
  const came = (/** @type {Visit} */ a, /** @type {Visit} */ b) => a.since - b.since || a.id - b.id;
  if (by === "arrived") return [...visits].sort((a, b) => sign * came(a, b));
  return [...visits].sort((a, b) => sign * ORDERS[by](a, b) || came(a, b));
}

/**
 * @param {Visit[]} visits
 * @param {{site: number, text: string}} wanted
 * @param {(visit: Visit) => string} nameOf
 */
export function filtered(visits, { site, text }, nameOf) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return visits.filter((visit) => {
    if (site && visit.site_id !== site) return false;
    if (!words.length) return true;
    const all = [visit.title, visit.url, visit.source, visit.browser, visit.language, nameOf(visit)].join("\n").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}
