import { tell } from "./phrases.js";

/**
 * @typedef {object} Sums
 * @property {number} opened
 * @property {number} closed
 * @property {number} missed
 * @property {number} messages_in
 * @property {number} messages_out
 * @property {number} first_reply_ms
 * @property {number} first_replies
 * @property {number} handling_ms
 * @property {number} handled
 * @property {number} rating_sum
 * @property {number} ratings
 *
 * @typedef {{total: Sums, days: {day: number, sums: Sums}[], agents: {agent: string, sums: Sums}[]}} Report
 */

/**
 * @param {Date} date
 * @returns {number} such as 20260131, in the time zone here
 */
export function dayOf(date) {
  return date.getFullYear() * 10_000 + (date.getMonth() + 1) * 100 + date.getDate();
}

/**
 * @param {Date} last
 * @param {number} count
 * @returns {number[]} so many days that end with `last`
 */
export function daysTo(last, count) {
  return Array.from({ length: count }, (_, at) => dayOf(new Date(last.getFullYear(), last.getMonth(), last.getDate() - count + 1 + at)));
}

/** @param {number} day */
export function shortDay(day) {
  return `${Math.floor(day / 100) % 100}/${day % 100}`;
}

/**
 * @param {number} sum
 * @param {number} count
 * @returns {string} an average duration, in words
 */
export function meanTime(sum, count) {
  if (!count) return "–";
  const seconds = Math.round(sum / count / 1000);
  if (seconds < 90) return tell("seconds", { count: seconds });
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return tell("minutes", { count: minutes });
  return tell("hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/**
 * @param {number} sum
 * @param {number} count
 * @returns {string} an average score
 */
export function meanScore(sum, count) {
  return count ? (sum / count).toFixed(1) : "–";
}

/**
 * @param {number} most
 * @returns {number} the end of a scale with whole steps
 */
export function scaleTo(most) {
  const steps = [4, 8, 12, 20, 40, 60, 100];
  let unit = 1;
  while (most > 100 * unit) unit *= 10;
  return unit * (steps.find((step) => step * unit >= most) ?? 100);
}
