/** @import {Desk} from "../desk.js" */
/** @import {Names} from "./archive.js" */
/** @import {Place, Wanted} from "./place.js" */
/** @import {Result} from "./results.js" */
import { h } from "../../ui/dom.js";
import { getLocale, t } from "../../ui/i18n.js";
import { shownName } from "../people.js";
import { askArchive } from "./archive.js";
import { ExportMenu } from "./exports.js";
import { Filters } from "./filters.js";
import { FoundList } from "./found.js";
import { Pages } from "./pages.js";
import { filterParams, isSameList, NOWHERE, readPlace, writePlace } from "./place.js";
import { tell } from "./phrases.js";
import { Reader } from "./reader.js";
import { Results } from "./results.js";

/** The page of what was: its URL says all that is chosen. */
export class HistoryPage {
  /**
   * @param {Desk} desk
   * @param {{changed: () => void, openChat: (id: number) => void}} parts
   */
  constructor(desk, parts) {
    this.desk = desk;
    this.changed = parts.changed;
    this.openChat = parts.openChat;
    /** @type {Map<string, string>} */
    this.names = new Map();
    const named = (/** @type {Names} */ names) => {
      for (const [id, name] of Object.entries(names)) this.names.set(id, name);
    };
    this.results = new Results(askArchive, parts.changed, named);
    this.pages = new Pages(askArchive, parts.changed, named);
    /** @type {Place | null} */
    this.place = null;
    /** The reader gets the focus once it is shown. */
    this.isReading = false;
    /** The row that gets the focus when the list comes back. */
    this.returnTo = "";
    this.filters = this.makeFilters();
    this.exports = new ExportMenu("export-all", "exportAll", tell("exportMore"));
    this.found = this.makeList();
    this.reader = this.makeReader();
    this.element = this.join();
  }

  /** Make everything that is seen anew, in the language chosen now. */
  build() {
    const { facets, panel } = this.filters;
    this.filters = this.makeFilters();
    this.filters.facets = facets;
    this.filters.opener.open(!panel.hidden);
    this.exports = new ExportMenu("export-all", "exportAll", tell("exportMore"));
    this.found = this.makeList();
    const { place, log } = this.reader;
    this.reader = this.makeReader();
    this.reader.place = place;
    this.reader.log.found = log.found;
    this.element = this.join();
  }

  makeFilters() {
    return new Filters((wanted) => this.want(wanted), (id) => this.nameOf(id));
  }

  makeList() {
    return new FoundList({
      select: (result) => this.select(result),
      more: () => void this.results.more(),
      clear: () => this.want(NOWHERE),
      nameOf: (id) => this.nameOf(id),
      siteOf: (id) => this.siteOf(id),
    });
  }

  makeReader() {
    return new Reader(this.pages, {
      desk: this.desk,
      labelled: (labels) => this.labelled(labels),
      nameOf: (id) => this.nameOf(id),
      siteOf: (id) => this.siteOf(id),
      skin: () => JSON.stringify([getLocale(), ...this.names]),
      leave: () => this.leave(),
      goTo: (seq) => this.goTo(seq),
      onlyVisitor: (visitor) => this.want({ ...NOWHERE, visitor }),
      isInChat: (id) => this.desk.rows.has(id),
      openChat: this.openChat,
    });
  }

  join() {
    this.filters.tools.append(this.exports.element);
    return h("section", { class: "list", "aria-label": tell("history") }, this.filters.element, this.found.element);
  }

  /** @returns {string} where the page was left */
  get hash() {
    return writePlace(this.place ?? NOWHERE);
  }

  /** @param {string} id */
  nameOf(id) {
    if (id === this.desk.me.id) return t("you");
    const name = this.names.get(id);
    return name ? shownName(name) : this.desk.nameOf(id);
  }

  /** @param {number} id */
  siteOf(id) {
    const sites = this.filters.facets.sites;
    return sites.length > 1 ? (sites.find((site) => site.id === id)?.name ?? "") : "";
  }

  /** Take the place that the URL says. */
  async enter() {
    const place = readPlace(location.hash) ?? NOWHERE;
    const before = this.place;
    this.place = place;
    const isOther = place.conversation !== before?.conversation;
    if (!before || !isSameList(place, before)) {
      void this.results.load(place);
      this.found.element.scrollTop = 0;
    }
    if (!before) void this.loadFacets();
    this.changed();
    if (!place.conversation && this.returnTo) requestAnimationFrame(() => this.focusRow());
    if (isOther || place.seq !== before?.seq || place.text !== before?.text) {
      await this.reader.open(place, isOther || place.text !== before?.text);
      this.changed();
    }
  }

  /** Show what is new since the page was left. */
  refresh() {
    if (!this.place) return;
    void this.loadFacets();
    void this.results.load(this.place);
  }

  async loadFacets() {
    try {
      const facets = await askArchive("facets", new URLSearchParams());
      this.filters.facets = facets;
      for (const agent of facets.agents) this.names.set(agent.id, agent.name);
      this.changed();
    } catch {
      // What the URL asks for is shown without.
    }
  }

  /** @param {string[]} labels what the open conversation has now */
  labelled(labels) {
    this.pages.labelled(labels);
    for (const { row } of this.results.all) if (row.id === this.pages.conversation) row.labels = labels;
    void this.loadFacets();
    this.changed();
  }

  /** @param {Wanted} wanted */
  want(wanted) {
    const place = { ...NOWHERE, ...wanted, conversation: null, seq: null };
    if (this.place && isSameList(place, this.place) && !place.text) return;
    this.go(place);
  }

  /** @param {Result} result */
  select({ row, seq }) {
    if (!this.place) return;
    this.go({ ...this.place, conversation: row.id, seq });
    this.isReading = true;
  }

  /** @param {number} seq a hit; going from one to the next is no step of the browser's */
  goTo(seq) {
    if (!this.place) return;
    history.replaceState(history.state, "", writePlace({ ...this.place, seq }));
    void this.enter();
  }

  /** @param {Place} place */
  go(place) {
    const hash = writePlace(place);
    const isFromList = !this.place?.conversation && Boolean(place.conversation);
    if (location.hash !== hash) history.pushState({ isFromList }, "", hash);
    void this.enter();
  }

  /** Back to the list; the focus returns to where one came from. */
  leave() {
    if (!this.place?.conversation) return;
    const { key = "" } = /** @type {HTMLElement | null} */ (this.found.list.querySelector(".selected"))?.dataset ?? {};
    this.returnTo = key;
    // Who came from the list goes back to it, so that the browser's own way back works too.
    if (history.state?.isFromList) history.back();
    else this.go({ ...this.place, conversation: null, seq: null });
  }

  focusRow() {
    const rows = /** @type {NodeListOf<HTMLElement>} */ (this.found.list.querySelectorAll(".row"));
    [...rows].find((row) => row.dataset.key === this.returnTo)?.focus();
    this.returnTo = "";
  }

  /** @param {number} step */
  move(step) {
    const { all } = this.results;
    if (!all.length || !this.place) return;
    const { conversation, seq } = this.place;
    let at = all.findIndex((result) => result.row.id === conversation && result.seq === seq);
    if (at < 0) at = all.findIndex((result) => result.row.id === conversation);
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length;
    this.select(all[next]);
    this.show();
    this.found.list.querySelector(".selected")?.scrollIntoView({ block: "nearest" });
  }

  show() {
    const { place, results, filters, found, reader, exports } = this;
    if (!place) return;
    if (results.state === "out" || this.pages.state === "out") location.reload();
    filters.show(place);
    exports.show(filterParams(place));
    found.show(results, place);
    reader.show();
    if (!this.isReading || !reader.isShown) return;
    this.isReading = false;
    reader.log.scroller.focus({ preventScroll: true });
  }
}
