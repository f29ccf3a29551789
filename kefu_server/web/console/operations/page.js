/** @import {Desk} from "../desk.js" */
/** @import {Figures} from "./figures.js" */
import { fill, h } from "../../ui/dom.js";
import { getLocale } from "../../ui/i18n.js";
import { clock, format } from "../../ui/time.js";
import { ask } from "../api.js";
import { keep } from "./figures.js";
import { tell } from "./phrases.js";
import { tiles } from "./tiles.js";

const EVERY_MS = 3_000;

/** @param {Desk} desk */
export function make(desk) {
  return new OperationsPage(desk);
}

/** How the servers are: what is wrong first, then figures and their last minutes. */
class OperationsPage {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Map<string, {figures: Figures, heardAt: number}>} what each server has said last */
    this.servers = new Map();
    /** Whose figures are shown; empty: of whichever answers. */
    this.chosen = "";
    this.isShown = this.isAsking = this.isSilent = false;
    this.askedAt = 0;
    this.silence = h("p", { class: "fault", role: "alert" });
    this.others = h("div", { class: "servers" });
    this.troubles = h("div", { class: "troubles", role: "status" });
    this.body = h("div");
    this.element = h(
      "main",
      { class: "page operations" },
      h("h1", null, tell("operations")),
      this.silence,
      this.troubles,
      this.others,
      this.body,
      h("p", { class: "more" }, tell("each", { seconds: EVERY_MS / 1000 })),
    );
  }

  enter() {
    this.isShown = true;
    this.askedAt = 0;
    this.show();
  }

  leave() {
    this.isShown = false;
  }

  /** Every second, and whenever the window is looked at again: ask when it is time. */
  show() {
    if (!this.isShown || document.hidden || this.isAsking) return;
    if (Date.now() - this.askedAt >= EVERY_MS) void this.ask();
  }

  async ask() {
    this.isAsking = true;
    this.askedAt = Date.now();
    try {
      const response = await ask(`/api/operations?language=${getLocale()}`);
      if (response.status === 401) return location.reload();
      if (!response.ok) throw new Error(`operations: ${response.status}`);
      const figures = /** @type {Figures} */ (await response.json());
      keep(this.servers, figures, Date.now());
      this.isSilent = false;
      const wanted = this.servers.get(this.chosen) ?? this.servers.get(figures.process.id);
      if (wanted) this.draw(wanted.figures);
    } catch {
      this.isSilent = true;
    } finally {
      this.isAsking = false;
    }
    this.drawSilence();
  }

  drawSilence() {
    const last = Math.max(0, ...[...this.servers.values()].map(({ heardAt }) => heardAt));
    fill(this.silence, this.isSilent && (last ? tell("silent", { time: format(last, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }) }) : tell("none")));
    this.element.classList.toggle("is-old", this.isSilent);
  }

  /** @param {Figures} figures */
  draw(figures) {
    this.drawServers(figures.process.id);
    this.drawTroubles();
    fill(this.body, tiles(figures), this.about(figures), this.services(figures));
  }

  /** What is wrong anywhere, and where. */
  drawTroubles() {
    const several = this.servers.size > 1;
    /** @type {Map<string, HTMLElement>} the same of several servers is said once */
    const found = new Map();
    for (const { figures } of this.servers.values()) {
      for (const { subject, finding, verdict, title, says, mend } of figures.troubles) {
        const mark = h("b", { class: "mark-word" }, tell(verdict === "problem" ? "problem" : "note"));
        const where = several && subject !== "database" ? ` (${figures.process.name})` : "";
        const line = h("div", { class: `trouble ${verdict}` }, h("p", null, mark, ` ${title}${where}: ${says}`), mend && h("p", { class: "more" }, mend));
        found.set(`${subject}.${finding}.${says}`, line);
      }
    }
    const marks = [...found.values()];
    const mark = marks.map((each) => each.textContent).join("\n") || "well";
    // What stays is not said again to those who hear the page.
    if (this.troubles.dataset.mark === mark) return;
    this.troubles.dataset.mark = mark;
    fill(this.troubles, ...(marks.length ? marks : [h("div", { class: "trouble well" }, h("p", null, tell("well")))]));
  }

  /** @param {string} shown */
  drawServers(shown) {
    this.others.hidden = this.servers.size < 2;
    if (this.others.hidden) return;
    const buttons = [...this.servers].sort(([, a], [, b]) => a.figures.process.name.localeCompare(b.figures.process.name)).map(([id, { figures, heardAt }]) => {
      const choose = () => {
        this.chosen = id;
        this.draw(figures);
      };
      const isBad = figures.troubles.some(({ verdict }) => verdict === "problem");
      return h("button", { type: "button", class: `plain small${isBad ? " bad" : ""}`, "aria-pressed": String(id === shown), onclick: choose }, figures.process.name, h("small", null, tell("lastHeard", { time: clock(heardAt) })));
    });
    fill(this.others, h("h2", null, tell("servers")), h("p", { class: "more" }, tell("serversMore")), h("div", { class: "card-tools" }, ...buttons));
  }

  /** @param {Figures} figures */
  about({ process }) {
    const since = format(process.started_at, { year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const rows = [
      [tell("program"), `kefu ${process.version} · Python ${process.python} · ${process.name}`],
      [tell("database"), [process.database, tell("schema", { schema: process.schema })].filter(Boolean).join(" · ")],
      [tell("uptime"), since],
    ];
    return h("dl", { class: "card about" }, ...rows.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
  }

  /** @param {Figures} figures */
  services({ services }) {
    if (!services.length) return null;
    const heads = [tell("service"), tell("calls"), tell("failures"), tell("state")];
    const rows = services.map(({ name, calls, failures, is_paused }) => {
      const cells = [String(calls), String(failures), tell(is_paused ? "paused" : "used")];
      return h("tr", null, h("th", { scope: "row" }, name), ...cells.map((cell, at) => h("td", { "data-name": heads[at + 1], class: is_paused && at === 2 ? "off" : "" }, cell)));
    });
    const head = h("thead", null, h("tr", null, ...heads.map((name) => h("th", { scope: "col" }, name))));
    return h("section", null, h("h2", null, tell("translation")), h("table", { class: "table folding" }, head, h("tbody", null, ...rows)));
  }
}
