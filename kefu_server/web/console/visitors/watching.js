/** @import {Desk} from "../desk.js" */
import { unwatch } from "../../client/logs.js";

export const TOPIC = "visitors";

/** @typedef {(rows: Map<number, any>) => boolean} Onlooker whether what came is worth drawing for */

/**
 * Have the list of those who are on the sites now, together with whoever has it already.
 * @param {Desk} desk
 * @param {Onlooker} onlooker
 */
export function lookOn(desk, onlooker) {
  const isFirst = !desk.onlookers.size;
  desk.onlookers.add(onlooker);
  if (isFirst) desk.chat.watch(TOPIC);
}

/**
 * What nobody looks at is not sent.
 * @param {Desk} desk
 * @param {Onlooker} onlooker
 */
export function lookAway(desk, onlooker) {
  if (!desk.onlookers.delete(onlooker) || desk.onlookers.size) return;
  unwatch(desk.chat.session, TOPIC);
  desk.chat.connection.pump();
}
