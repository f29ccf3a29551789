/** @import {Desk} from "../desk.js" */
/** @import {Report, Sums} from "./figures.js" */
import { fill, h } from "../../ui/dom.js";
import { askArchive } from "../history/archive.js";
import { chart } from "./chart.js";
import { daysTo, meanScore, meanTime } from "./figures.js";
import { tell } from "./phrases.js";

const PERIODS = [7, 30, 90];

/** @param {Desk} desk */
export function make(desk) {
  return new ReportsPage(desk);
}

/** What was done, by day and by agent. */
class ReportsPage {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    const ask = () => void this.load();
    this.period = h("select", { onchange: ask }, ...PERIODS.map((count) => h("option", { value: String(count) }, tell("days", { count }))));
    this.site = h("select", { onchange: ask }, h("option", { value: "0" }, tell("allSites")));
    this.siteField = h("label", { class: "field", hidden: true }, tell("site"), this.site);
    this.body = h("div", { class: "report", "aria-live": "polite" });
    const form = h("div", { class: "report-form" }, h("label", { class: "field" }, tell("period"), this.period), this.siteField);
    this.element = h("main", { class: "page" }, h("h1", null, tell("reports")), form, this.body, h("p", { class: "more" }, tell("behind")));
    this.asked = 0;
    /** It was entered, and is read once there is a connection. */
    this.isDue = false;
  }

  enter() {
    this.isDue = true;
    this.show();
    if (this.site.options.length === 1) void this.loadSites();
  }

  show() {
    if (!this.isDue || !this.desk.chat.isLive) return;
    this.isDue = false;
    void this.load();
  }

  async loadSites() {
    try {
      const { sites } = await askArchive("facets", new URLSearchParams());
      for (const site of sites) this.site.append(h("option", { value: String(site.id) }, site.name));
      this.siteField.hidden = sites.length < 2;
    } catch {
      // All sites together are shown without.
    }
  }

  async load() {
    const number = ++this.asked;
    const days = daysTo(new Date(), Number(this.period.value));
    try {
      const params = { first_day: days[0], last_day: days[days.length - 1], site_id: Number(this.site.value) };
      const report = /** @type {Report} */ (await this.desk.chat.call("reports.get", params));
      if (number === this.asked) this.draw(report, days);
    } catch {
      if (number !== this.asked) return;
      const again = h("button", { type: "button", class: "plain", onclick: () => this.load() }, tell("again"));
      fill(this.body, h("p", { class: "fault", role: "alert" }, tell("failed")), again);
    }
  }

  /**
   * @param {Report} report
   * @param {number[]} days
   */
  draw({ total, days: done, agents }, days) {
    if (!done.length) return fill(this.body, h("p", { class: "rows-empty" }, tell("none")));
    const sums = new Map(done.map(({ day, sums }) => [day, sums]));
    const series = /** @type {const} */ (["opened", "closed", "missed"]).map((field) => ({ field, name: tell(field) }));
    fill(
      this.body,
      this.tiles(total),
      h("section", { class: "card wide" }, h("h2", null, tell("byDay")), chart(days, sums, series, tell("byDay"))),
      agents.length > 0 && h("section", { class: "card wide" }, h("h2", null, tell("byAgent")), this.table(agents)),
    );
  }

  /** @param {Sums} total */
  tiles(total) {
    const tile = (/** @type {string} */ name, /** @type {string} */ value, more = "") =>
      h("div", { class: "tile" }, h("dt", null, name), h("dd", null, h("b", null, value), more && h("small", null, more)));
    return h(
      "dl",
      { class: "tiles" },
      tile(tell("opened"), String(total.opened), total.missed ? `${tell("missed")}: ${total.missed}` : ""),
      tile(tell("messages"), String(total.messages_in + total.messages_out), tell("messagesMore", { in: total.messages_in, out: total.messages_out })),
      tile(tell("firstReply"), meanTime(total.first_reply_ms, total.first_replies), total.first_replies ? tell("firstReplyMore", { count: total.first_replies }) : ""),
      tile(tell("handling"), meanTime(total.handling_ms, total.handled), total.handled ? tell("handlingMore", { count: total.handled }) : ""),
      tile(tell("rating"), meanScore(total.rating_sum, total.ratings), total.ratings ? tell("ratingMore", { count: total.ratings }) : ""),
    );
  }

  /** @param {Report["agents"]} agents */
  table(agents) {
    const heads = [tell("agent"), tell("closed"), tell("sent"), tell("firstReply"), tell("handling"), tell("rating")];
    const rows = [...agents].sort((a, b) => b.sums.closed - a.sums.closed).map(({ agent, sums }) => {
      const cells = [String(sums.closed), String(sums.messages_out), meanTime(sums.first_reply_ms, sums.first_replies), meanTime(sums.handling_ms, sums.handled), meanScore(sums.rating_sum, sums.ratings)];
      return h("tr", null, h("th", { scope: "row" }, h("bdi", null, this.desk.nameOf(agent))), ...cells.map((cell, at) => h("td", { "data-name": heads[at + 1] }, cell)));
    });
    const head = h("thead", null, h("tr", null, ...heads.map((name) => h("th", { scope: "col" }, name))));
    return h("table", { class: "table folding" }, head, h("tbody", null, ...rows));
  }
}
