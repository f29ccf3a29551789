/** @import {Me} from "./api.js" */
/** @import {Desk} from "./desk.js" */
import { say } from "./phrases.js";

/**
 * @typedef {object} PageView what stands below the header while its page is shown
 * @property {HTMLElement} element
 * @property {(rest: string) => void} enter the URL names this page; `rest` is what
 *   follows its name, such as `/sites?x=1`
 * @property {() => void} show draw again: something has changed, or a second has passed
 * @property {() => void} [leave] another page is shown from now on
 *
 * @typedef {object} PageKind a page besides the chat and the history
 * @property {string} name what the URL says: `#/name`
 * @property {string} icon
 * @property {() => string} title
 * @property {(me: Me) => boolean} [isFor] who has it; without: everybody
 * @property {(desk: Desk) => number} [count] a number beside the link, 0 for none
 * @property {() => Promise<{make: (desk: Desk) => PageView}>} load
 */

/** @type {PageKind[]} in the order in which they are offered */
export const PAGES = [
  {
    name: "visitors",
    icon: "eye",
    title: () => say("visitorsPage"),
    load: () => import("./visitors/page.js"),
  },
  {
    name: "offline",
    icon: "inbox",
    title: () => say("offlinePage"),
    count: (desk) => desk.left.size,
    load: () => import("./offline/page.js"),
  },
  {
    name: "canned",
    icon: "bolt",
    title: () => say("cannedPage"),
    load: () => import("./canned/page.js"),
  },
  {
    name: "reports",
    icon: "chart",
    title: () => say("reportsPage"),
    load: () => import("./reports/page.js"),
  },
  {
    name: "operations",
    icon: "pulse",
    title: () => say("operationsPage"),
    isFor: (me) => me.role === "admin",
    load: () => import("./operations/page.js"),
  },
  {
    name: "settings",
    icon: "gear",
    title: () => say("settingsPage"),
    load: () => import("./settings/page.js"),
  },
];

/** @type {(hash: string) => {kind: PageKind, rest: string} | null} the page that a URL names */
export function pageOf(hash) {
  const [, name = "", rest = ""] = /^#\/([a-z-]+)(.*)$/.exec(hash) ?? [];
  const kind = PAGES.find((page) => page.name === name);
  return kind ? { kind, rest } : null;
}
