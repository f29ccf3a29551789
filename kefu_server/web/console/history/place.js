/**
 * @typedef {object} Wanted which conversations, as the form has it
 * @property {string} text
 * @property {string} site
 * @property {string} agent
 * @property {string} visitor
 * @property {string} status
 * @property {string} label
 * @property {string} from a day, such as 2026-11-25, or nothing
 * @property {string} to the last day, or nothing
 * @property {Order} order of what has the text in it
 *
 * @typedef {"newest" | "relevance" | "grouped"} Order
 *
 * @typedef {Wanted & {conversation: number | null, seq: number | null}} Place
 *   where in the history somebody looks: what the page's URL says
 */

const START = "#/history";
/** Names in the URL, in the order in which they stand there. */
const FILTERS = /** @type {const} */ (["text", "site", "agent", "visitor", "status", "label", "from", "to"]);
/** @type {readonly Order[]} */
export const ORDERS = ["newest", "relevance", "grouped"];

/** @type {Place} */
export const NOWHERE = Object.freeze({
  text: "", site: "", agent: "", visitor: "", status: "", label: "", from: "", to: "",
  order: /** @type {Order} */ ("newest"), conversation: null, seq: null,
});

/**
 * @param {string} hash the part of the URL that begins with #
 * @returns {Place | null} null when it is not of the history
 */
export function readPlace(hash) {
  const [path, query = ""] = hash.split("?", 2);
  if (path !== START) return null;
  const params = new URLSearchParams(query);
  const place = { ...NOWHERE };
  for (const name of FILTERS) place[name] = params.get(name) ?? "";
  place.from = dayOf(place.from);
  place.to = dayOf(place.to);
  place.order = ORDERS.find((order) => order === params.get("order")) ?? NOWHERE.order;
  place.conversation = numberOf(params.get("c"));
  place.seq = place.conversation && numberOf(params.get("m"));
  return place;
}

/**
 * @param {Place} place
 * @returns {string} the part of the URL that begins with #
 */
export function writePlace(place) {
  const params = new URLSearchParams();
  for (const name of FILTERS) if (place[name]) params.set(name, place[name]);
  if (place.text && place.order !== NOWHERE.order) params.set("order", place.order);
  if (place.conversation) params.set("c", String(place.conversation));
  if (place.conversation && place.seq) params.set("m", String(place.seq));
  const query = String(params);
  return query ? `${START}?${query}` : START;
}

/**
 * @param {Place} a
 * @param {Place} b
 * @returns {boolean} whether both want the same list
 */
export function isSameList(a, b) {
  return FILTERS.every((name) => a[name] === b[name]) && (!a.text || a.order === b.order);
}

/**
 * @param {Wanted} wanted
 * @returns {number} how many filters narrow, besides the text
 */
export function filterCount(wanted) {
  return FILTERS.filter((name) => name !== "text" && wanted[name]).length;
}

/**
 * @param {Wanted} wanted
 * @returns {URLSearchParams} the same for the server: days become moments
 */
export function filterParams(wanted) {
  const params = new URLSearchParams();
  for (const name of /** @type {const} */ (["site", "agent", "visitor", "status", "label"])) {
    if (wanted[name]) params.set(name, wanted[name]);
  }
  if (wanted.from) params.set("from", String(startOfDay(wanted.from)));
  if (wanted.to) params.set("before", String(startOfDay(wanted.to, 1)));
  return params;
}

/**
 * @param {string} day such as 2026-11-25
 * @param {number} [later] so many days after it
 * @returns {number} its first moment here
 */
export function startOfDay(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return Math.max(0, new Date(year, month - 1, date + later).getTime());
}

/** @param {string} text */
function dayOf(text) {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));
  return isDay ? text : "";
}

/** @param {string | null} text */
function numberOf(text) {
  const number = /^[1-9]\d*$/.test(text ?? "") ? Number(text) : NaN;
  return Number.isSafeInteger(number) ? number : null;
}
