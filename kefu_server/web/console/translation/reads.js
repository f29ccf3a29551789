/** @import {Desk} from "../desk.js" */
/** @import {Reads} from "../../ui/items.js" */
import { areSame } from "../../client/incoming.js";
import { bestOf, visitorsOf } from "../../ui/reading.js";

/** @param {Desk} desk @returns {string} what its agent reads and writes, wherever that or an admin has said so; empty: what each site says */
export const languageOf = ({ agents, me }) => agents.get(Number(me.id.slice(1)))?.language ?? me.language;

/**
 * Which translations this console shows: of what others wrote the one in its agent's own
 * language, else in the site's; of one's own text, and where there is none, what the
 * visitor reads of it.
 * @param {Desk} desk
 * @param {number} site
 * @returns {Reads}
 */
export function readsOf(desk, site) {
  const ours = desk.directory.within.get(site)?.agents_language ?? "";
  const wanted = [languageOf(desk) || ours, ours];
  return (line, all) => {
    const isVisitors = line.sender.startsWith("v");
    const read = line.sender === desk.me.id ? undefined : bestOf(all, wanted, areSame);
    if (read || isVisitors) return read && { ...read, isRead: true };
    const theirs = visitorsOf(all);
    return theirs && { ...theirs, isRead: false };
  };
}
