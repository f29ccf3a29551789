import { getLocale, t } from "./i18n.js";

const DAY_MS = 86_400_000;

/**
 * @param {number} at
 * @returns {string} such as 14:03
 */
export function clock(at) {
  return format(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/**
 * @param {number} at
 * @returns {string} the calendar day here, as a key
 */
export function dayKey(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/**
 * @param {number} at
 * @param {number} now
 * @returns {string} today, yesterday, or the date
 */
export function day(at, now) {
  if (dayKey(at) === dayKey(now)) return t("today");
  if (dayKey(at) === dayKey(now - DAY_MS)) return t("yesterday");
  const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const year = isThisYear ? undefined : /** @type {const} */ ("numeric");
  return format(at, { month: "long", day: "numeric", weekday: "short", year });
}

/**
 * @param {number} at
 * @param {number} now
 * @returns {string} short, for lists
 */
export function stamp(at, now) {
  if (dayKey(at) === dayKey(now)) return clock(at);
  if (dayKey(at) === dayKey(now - DAY_MS)) return t("yesterday");
  return format(at, { month: "numeric", day: "numeric" });
}

/**
 * @param {number} ms
 * @returns {string} how long, such as 3:05, 2h or 2小时
 */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? amount(hours, "hour") : amount(Math.floor(hours / 24), "day");
}

/** @type {Map<string, Intl.NumberFormat>} */
const amounts = new Map();

/**
 * @param {number} count
 * @param {"hour" | "day"} unit
 */
function amount(count, unit) {
  const name = getLocale() + unit;
  let found = amounts.get(name);
  if (!found) amounts.set(name, (found = new Intl.NumberFormat(getLocale(), { style: "unit", unit, unitDisplay: "narrow" })));
  return found.format(count);
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {number} at
 * @param {Intl.DateTimeFormatOptions} options
 */
export function format(at, options) {
  const name = getLocale() + JSON.stringify(options);
  let found = formats.get(name);
  if (!found) formats.set(name, (found = new Intl.DateTimeFormat(getLocale(), options)));
  return found.format(at);
}
