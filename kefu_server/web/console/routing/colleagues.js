/** @import {Desk} from "../desk.js" */
import { tell } from "./phrases.js";

/**
 * @typedef {"online" | "busy" | "away"} Chosen
 *
 * @typedef {object} Colleague an agent as the list `agents` has it
 * @property {number} id
 * @property {string} name
 * @property {Chosen | "offline"} status
 * @property {Chosen} chosen
 * @property {number} active
 * @property {number} capacity 0 for no end
 * @property {number[]} sites none: all of them
 * @property {number[]} teams
 * @property {string} [language] what it reads and writes; empty: what its sites say
 */

/** @type {Chosen[]} */
export const CHOICES = ["online", "busy", "away"];
const ORDER = [...CHOICES, "offline"];

/**
 * @param {Desk} desk
 * @returns {Colleague | undefined}
 */
export function mine(desk) {
  return desk.agents.get(Number(desk.me.id.slice(1)));
}

/**
 * @param {Desk} desk
 * @returns {Colleague[]} those who are there first, of them the least busy
 */
export function others(desk) {
  const me = Number(desk.me.id.slice(1));
  return [...desk.agents.values()]
    .filter(({ id }) => id !== me)
    .sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || a.active - b.active || a.name.localeCompare(b.name));
}

/** @param {Colleague} colleague */
export function hasRoom({ active, capacity }) {
  return !capacity || active < capacity;
}

/** @param {Colleague} colleague */
export function loadShort({ active, capacity }) {
  return capacity ? tell("loadShortOf", { count: active, capacity }) : tell("loadShort", { count: active });
}

/** @param {Colleague} colleague */
export function loadOf({ active, capacity }) {
  return capacity ? tell("loadOf", { count: active, capacity }) : tell("load", { count: active });
}
