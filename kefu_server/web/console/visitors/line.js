/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { VisitorBan } from "../bans/visitor.js";
import { span } from "../../ui/time.js";
import { shownName } from "../people.js";
import { InviteForm } from "./invite.js";
import { tell } from "./phrases.js";
import { itemsOfTrail, pathOf } from "./trail.js";

/**
 * @typedef {object} Visit a row of the list `visitors`
 * @property {number} id
 * @property {number} site_id
 * @property {string} visitor
 * @property {string} name
 * @property {string} url
 * @property {string} title
 * @property {number} at since when the page is shown
 * @property {number} since
 * @property {number} pages
 * @property {string} source
 * @property {string} browser
 * @property {string} language
 * @property {string} screen
 * @property {boolean} is_hidden
 * @property {boolean} is_returning
 * @property {number | null} conversation
 * @property {string} status
 * @property {string | null} assignee
 * @property {number | null} place
 * @property {"" | "sent" | "shown" | "accepted" | "refused"} invitation
 * @property {string} invited_by an agent, or the name of a rule
 * @property {boolean} has_refused
 */

export const COLUMNS = 7;
const INVITED = /** @type {const} */ ({ sent: "invited", shown: "invitedShown", accepted: "invitedAccepted", refused: "invitedRefused" });

/** One visitor: a row that changes in place, and below it the pages seen so far. */
export class Line {
  /**
   * @param {Desk} desk
   * @param {number} visitor
   */
  constructor(desk, visitor) {
    this.desk = desk;
    this.visitor = visitor;
    /** @type {Visit | null} */
    this.row = null;
    this.mark = "";
    this.trailMark = "";
    this.name = h("bdi", null);
    this.toggle = h("button", { type: "button", class: "visit-name", "aria-expanded": "false", onclick: () => this.open(this.detail.hidden) }, this.name);
    this.state = h("span", { class: "visit-state" });
    this.page = h("td", { class: "visit-page" });
    this.onPage = h("td", { class: "visit-time" });
    this.onSite = h("td", { class: "visit-time" });
    this.pages = h("td", { class: "visit-time" });
    this.source = h("td", null);
    this.browser = h("td", null);
    this.cells = h("tr", null, h("td", null, this.toggle, this.state), this.page, this.onPage, this.onSite, this.pages, this.source, this.browser);
    this.trail = h("ol", { class: "visit-trail" });
    this.chat = h("button", { type: "button", class: "plain", hidden: true, onclick: () => this.desk.show(Number(this.row?.conversation)) }, tell("openChat"));
    this.invite = new InviteForm(desk, visitor);
    this.tools = h("div", { class: "visit-tools" }, this.chat, this.invite.element);
    this.ban = new VisitorBan(desk, () => {});
    this.detail = h("tr", { class: "visit-more", hidden: true }, h("td", { colSpan: COLUMNS }, h("h2", null, tell("trail")), this.trail, this.tools, this.ban.element));
    this.element = h("tbody", null, this.cells, this.detail);
  }

  /**
   * @param {Visit} row
   * @param {string} site its name, where there are several
   */
  show(row, site) {
    const mark = `${site} ${row.assignee && this.desk.nameOf(row.assignee)}`;
    // A row that has changed is another object.
    if (row === this.row && mark === this.mark) return;
    this.row = row;
    this.mark = mark;
    this.draw(row, site);
    if (!this.detail.hidden) void this.load();
  }

  /**
   * @param {Visit} row
   * @param {string} site
   */
  draw(row, site) {
    const name = shownName(row.name);
    fill(this.name, name);
    this.toggle.setAttribute("aria-label", tell("trailOf", { name }));
    fill(this.state, this.stateOf(row));
    this.state.className = `visit-state ${row.status}`;
    this.cells.classList.toggle("is-hidden", row.is_hidden);
    fill(this.page, h("b", { dir: "auto" }, row.title || pathOf(row.url)), h("small", { dir: "ltr", title: row.url }, site && `${site} · `, pathOf(row.url)));
    fill(this.pages, label("pages"), String(row.pages));
    fill(this.source, label("source"), h("span", { dir: "auto" }, row.source || tell("direct")), row.is_returning && h("small", null, tell("returning")));
    fill(this.browser, label("browser"), h("span", null, row.browser), h("small", null, [row.language, row.screen].filter(Boolean).join(" · ")));
    this.chat.hidden = row.conversation === null;
    this.invite.show(row);
    this.tick(Date.now());
  }

  /** @param {Visit} row */
  stateOf(row) {
    if (row.status === "queued") return tell("waits", { place: row.place ?? 1 });
    if (row.status === "active") return row.assignee ? tell("talks", { name: this.desk.nameOf(row.assignee) }) : tell("talking");
    if (row.invitation) {
      const rule = /^a\d+$/.test(row.invited_by) ? "" : row.invited_by;
      return tell(INVITED[row.invitation]) + (rule && ` · ${rule}`);
    }
    return row.is_hidden ? tell("hidden") : "";
  }

  /**
   * Time goes on by itself: nobody tells it.
   * @param {number} now
   */
  tick(now) {
    if (!this.row) return;
    for (const [cell, name, since] of /** @type {const} */ ([[this.onPage, "onPage", this.row.at], [this.onSite, "since", this.row.since]])) {
      const text = span(now - since);
      if (cell.lastChild?.nodeValue !== text) fill(cell, label(name), text);
    }
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    this.detail.hidden = !isOpen;
    this.toggle.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    void this.load();
    void this.loadBan();
  }

  async loadBan() {
    try {
      const { ban } = await this.desk.chat.call("visitor.get", { visitor: this.visitor });
      this.ban.show(this.visitor, ban);
    } catch {
      // Of who only looks nothing is stored.
      if (!this.ban.visitor) this.ban.show(this.visitor, null);
    }
  }

  async load() {
    const mark = `${this.row?.pages} ${this.row?.at} ${this.row?.title}`;
    if (mark === this.trailMark) return;
    this.trailMark = mark;
    try {
      const { pages } = await this.desk.chat.call("visit.get", { visitor: this.visitor });
      fill(this.trail, ...itemsOfTrail(pages, true));
      // One that was called for is the newest there is: begin to read there.
      this.trail.scrollTop = this.trail.scrollHeight;
    } catch {
      this.trailMark = "";
      fill(this.trail, h("li", null, tell("gone")));
    }
  }
}

/** @param {Parameters<typeof tell>[0]} name what a column is called, where there are no columns */
function label(name) {
  return h("span", { class: "visit-label" }, tell(name));
}
