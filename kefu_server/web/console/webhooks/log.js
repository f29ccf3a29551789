/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { clock, stamp } from "../../ui/time.js";
import { gather } from "../gather.js";
import { tell } from "./phrases.js";

const PAGE = 20;
const LOOK_MS = 2_000;

/** What was told to one webhook, the newest first. */
export class Log {
  /**
   * @param {Desk} desk
   * @param {number} webhook
   */
  constructor(desk, webhook) {
    this.desk = desk;
    this.webhook = webhook;
    /** @type {any[]} */
    this.rows = [];
    this.lookedAt = 0;
    this.asked = 0;
    this.wanted = PAGE;
    this.mark = "";
    this.body = h("tbody", null);
    const heads = ["when", "event", "state", "tries", "answer"].map((name) => h("th", { scope: "col" }, tell(/** @type {any} */ (name))));
    this.table = h("table", { class: "table" }, h("thead", null, h("tr", null, ...heads)), this.body);
    this.empty = h("p", { class: "more", hidden: true }, tell("empty"));
    this.fault = h("p", { class: "fault", role: "alert" });
    this.more = h("button", { type: "button", class: "plain", hidden: true, onclick: () => void this.load(true) }, tell("more"));
    this.element = h("div", { class: "hook-log", hidden: true }, this.fault, this.empty, this.table, this.more);
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    this.element.hidden = !isOpen;
    if (isOpen) void this.load(false);
  }

  /** Look again while something waits. */
  look() {
    const waits = this.rows.some((row) => row.status === "queued");
    if (!this.element.hidden && waits && Date.now() - this.lookedAt > LOOK_MS) void this.load(false);
  }

  /** @param {boolean} isOlder */
  async load(isOlder) {
    this.lookedAt = Date.now();
    const turn = (this.asked += 1);
    const start = isOlder ? this.rows : [];
    if (isOlder) this.wanted = start.length + PAGE;
    /** @param {{limit: number, before?: number}} page */
    const ask = async (page) => (await this.desk.chat.call("deliveries.list", { webhook: this.webhook, ...page })).rows;
    try {
      const { rows, hasMore } = await gather(ask, start, this.wanted);
      // Whoever asked later wants at least as many.
      if (turn !== this.asked) return;
      this.rows = rows;
      this.more.hidden = !hasMore;
      fill(this.fault);
    } catch {
      return fill(this.fault, tell("failed"));
    }
    this.draw();
  }

  draw() {
    const mark = JSON.stringify(this.rows);
    if (mark === this.mark) return;
    this.mark = mark;
    this.empty.hidden = this.rows.length > 0;
    this.table.hidden = !this.rows.length;
    fill(this.body, ...this.rows.flatMap((row) => this.line(row)));
  }

  /** @param {any} row */
  line(row) {
    const now = Date.now();
    const state = { queued: tell("queued"), done: tell("done"), failed: tell("gaveUp") }[/** @type {"done"} */ (row.status)];
    const told = h("pre", { dir: "auto" }, row.payload);
    const again = h("button", { type: "button", class: "plain small", onclick: () => void this.resend(row.id) }, tell("again"));
    const details = h("details", null, h("summary", null, tell("body")), told, again);
    const when = [...new Set([stamp(row.created_at, now), clock(row.created_at)])].join(" ");
    const cells = [when, row.event, h("b", { class: row.status }, state), String(row.attempts)];
    return [
      h("tr", null, ...cells.map((cell) => h("td", null, cell)), h("td", null, row.response_status ? String(row.response_status) : "", row.error && h("small", null, ` ${row.error}`), details)),
    ];
  }

  /** @param {number} delivery */
  async resend(delivery) {
    try {
      await this.desk.chat.call("delivery.resend", { delivery });
    } catch {
      fill(this.fault, tell("failed"));
    }
    await this.load(false);
  }
}
