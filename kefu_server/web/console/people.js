/** @import {Row} from "./desk.js" */
import { t } from "../ui/i18n.js";

const NAMELESS = /^访客 (\d+)$/;
const HUES = 8;

/**
 * @param {string} name as the server tells it
 * @returns {string} the server's own name for the nameless, in the language chosen here
 */
export function shownName(name) {
  const nameless = NAMELESS.exec(name);
  return nameless ? t("visitor", { number: nameless[1] }) : name;
}

/** @param {Row} row */
export function visitorName(row) {
  return shownName(row.visitor_name || `访客 ${row.visitor.slice(-4)}`);
}

/** @param {Row} row */
export function faceOf(row) {
  const name = visitorName(row);
  return /\d$/.test(name) ? name.slice(-2) : [...name][0];
}

/** @param {Row} row */
export function hueOf(row) {
  return row.id % HUES;
}

/** @param {Row} row */
export function statusText(row) {
  const states = { queued: "statusQueued", active: "statusActive", closed: "closed" };
  return t(/** @type {any} */ (states[row.status]));
}
