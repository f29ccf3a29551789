/** @import {Desk} from "../desk.js" */
/** @import {Left, Mail} from "./card.js" */
import { fill, h } from "../../ui/dom.js";
import { gather } from "../gather.js";
import { askArchive } from "../history/archive.js";
import { Card } from "./card.js";
import { tell } from "./phrases.js";

const PAGE = 30;
const LOOK_MS = 3_000;
const STATES = /** @type {const} */ (["open", "handled"]);

/** @param {Desk} desk */
export function make(desk) {
  return new OfflinePage(desk);
}

/** What visitors left while nobody was there. */
class OfflinePage {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {"open" | "handled"} */
    this.status = "open";
    this.site = 0;
    /** @type {Left[]} */
    this.rows = [];
    /** @type {Mail[]} */
    this.mails = [];
    this.mailProblem = "";
    this.hasMore = false;
    /** How many are to be shown: a look at the top takes none of them away. */
    this.wanted = PAGE;
    /** @type {string | null} which were open when the list was asked for */
    this.mark = null;
    this.lookedAt = 0;
    this.asked = 0;
    /** @type {Map<number, string>} */
    this.sites = new Map();
    /** @type {Map<number, Card>} */
    this.cards = new Map();
    this.tabs = STATES.map((status) =>
      h("button", { type: "button", "aria-pressed": "false", onclick: () => this.choose(status) }, tell(status)),
    );
    this.chooser = h("select", { "aria-label": tell("site"), hidden: true, onchange: () => this.filter() });
    this.list = h("ul", { class: "left-list" });
    this.empty = h("p", { class: "more", hidden: true });
    this.fault = h("p", { class: "fault", role: "alert" });
    this.more = h("button", { type: "button", class: "plain", hidden: true, onclick: () => void this.load(true) }, tell("more"));
    const tools = h("div", { class: "left-filters" }, h("div", { class: "segments", role: "group", "aria-label": tell("title") }, ...this.tabs), this.chooser);
    this.element = h("main", { class: "page" }, h("h1", null, tell("title")), tools, this.fault, this.empty, this.list, this.more);
  }

  enter() {
    void this.load(false);
    void this.nameSites();
  }

  async nameSites() {
    try {
      const { sites } = await askArchive("facets", new URLSearchParams());
      this.sites = new Map(sites.map((/** @type {{id: number, name: string}} */ { id, name }) => [id, name]));
      this.chooser.hidden = sites.length < 2;
      const options = [[0, tell("anySite")], ...this.sites].map(([id, name]) => h("option", { value: String(id) }, String(name)));
      fill(this.chooser, ...options);
      this.chooser.value = String(this.site);
      this.draw();
    } catch {
      // The names are missing, the messages are not.
    }
  }

  /** @param {"open" | "handled"} status */
  choose(status) {
    this.status = status;
    this.reset();
  }

  filter() {
    this.site = Number(this.chooser.value);
    this.reset();
  }

  reset() {
    this.rows = [];
    this.wanted = PAGE;
    this.cards.clear();
    void this.load(false);
  }

  /** @param {boolean} isOlder go on below what is shown, or look at the top again */
  async load(isOlder) {
    const { status, site } = this;
    const turn = (this.asked += 1);
    this.lookedAt = Date.now();
    this.mark = this.leftMark();
    const start = isOlder ? this.rows : [];
    const mails = isOlder ? [...this.mails] : [];
    if (isOlder) this.wanted = start.length + PAGE;
    /** @param {{limit: number, before?: number}} page */
    const ask = async (page) => {
      const answer = await this.desk.chat.call("offline.list", { status, ...(site ? { site } : {}), ...page });
      mails.push(...answer.mails);
      this.mailProblem = answer.mail_problem ?? "";
      return /** @type {Left[]} */ (answer.rows);
    };
    try {
      const found = await gather(ask, start, this.wanted);
      if (turn !== this.asked) return;
      this.rows = found.rows;
      this.hasMore = found.hasMore;
      this.mails = mails;
      fill(this.fault);
    } catch {
      if (turn === this.asked && this.desk.chat.isLive) fill(this.fault, tell("failed"));
      this.mark = null;
    }
    this.draw();
  }

  /** Called each second, and whenever something has changed. */
  show() {
    const isLate = Date.now() - this.lookedAt > LOOK_MS;
    const waits = this.mails.some((mail) => mail.status === "queued");
    const isNews = this.mark === null ? isLate : this.mark !== this.leftMark();
    if (this.desk.chat.isLive && ((isLate && waits) || isNews)) void this.load(false);
  }

  leftMark() {
    return [...this.desk.left.keys()].join();
  }

  draw() {
    STATES.forEach((status, at) => this.tabs[at].setAttribute("aria-pressed", String(status === this.status)));
    const cards = this.rows.map((row) => {
      const card = this.cards.get(row.id) ?? new Card(this.desk, () => void this.load(false));
      this.cards.set(row.id, card);
      const site = this.sites.size > 1 ? (this.sites.get(row.site_id) ?? "") : "";
      card.show(row, this.mails.filter((mail) => mail.about === row.id), site, this.mailProblem);
      return card.element;
    });
    const shown = [...this.list.children];
    // A text that is being written keeps its focus: only a list that differs is set.
    if (shown.length !== cards.length || cards.some((card, at) => card !== shown[at])) fill(this.list, ...cards);
    this.empty.hidden = cards.length > 0;
    fill(this.empty, tell(this.status === "open" ? "empty" : "emptyHandled"));
    this.more.hidden = !this.hasMore;
  }
}
