/** @import {Me} from "../api.js" */
/** @import {Desk} from "../desk.js" */
import { tell } from "./phrases.js";

/**
 * @typedef {object} SectionKind one part of the settings
 * @property {string} name what the URL says: `#/settings/name`
 * @property {() => string} title
 * @property {(me: Me) => boolean} [isFor] who has it; without: everybody
 * @property {() => Promise<{make: (desk: Desk) => Section}>} load
 *
 * @typedef {object} Section
 * @property {HTMLElement} element
 * @property {() => void} enter it is shown from now on: ask for what it shows
 * @property {() => void} [show] something has changed, or a second has passed
 */

/** @type {(me: Me) => boolean} */
export const isAdmin = (me) => me.role === "admin";

/** @type {SectionKind[]} */
export const SECTIONS = [
  { name: "notices", title: () => tell("notices"), load: () => import("./notices.js") },
  { name: "account", title: () => tell("account"), load: () => import("../account/section.js") },
  { name: "sites", title: () => tell("sites"), isFor: isAdmin, load: () => import("./sites.js") },
  { name: "accounts", title: () => tell("accounts"), isFor: isAdmin, load: () => import("./accounts.js") },
  { name: "teams", title: () => tell("teams"), isFor: isAdmin, load: () => import("../routing/teams.js") },
  { name: "routing", title: () => tell("routing"), isFor: isAdmin, load: () => import("../routing/rules.js") },
  { name: "hours", title: () => tell("hours"), isFor: isAdmin, load: () => import("../talk/hours.js") },
  { name: "talk", title: () => tell("talk"), isFor: isAdmin, load: () => import("../talk/section.js") },
  { name: "visitors", title: () => tell("visitors"), isFor: isAdmin, load: () => import("../visitors/rules.js") },
  { name: "files", title: () => tell("files"), isFor: isAdmin, load: () => import("../files/rules.js") },
  { name: "translation", title: () => tell("translation"), load: () => import("../translation/section.js") },
  { name: "absence", title: () => tell("absence"), isFor: isAdmin, load: () => import("../offline/absence.js") },
  { name: "bans", title: () => tell("bans"), load: () => import("../bans/section.js") },
  { name: "webhooks", title: () => tell("webhooks"), isFor: isAdmin, load: () => import("../webhooks/section.js") },
  { name: "tokens", title: () => tell("tokens"), load: () => import("./tokens.js") },
  { name: "audit", title: () => tell("audit"), isFor: isAdmin, load: () => import("./audit.js") },
];
