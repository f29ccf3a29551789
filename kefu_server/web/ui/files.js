import { fill, h, icon, ICONS } from "./dom.js";
import { FileLines, fileName } from "./filelines.js";
import { secondsIn, sizeText, whenText, word } from "./filewords.js";

ICONS.clip = "M20 11.500l-8.200 8.200a5 5 0 0 1-7-7l8.600-8.700a3.300 3.300 0 0 1 4.700 4.700l-8.600 8.600a1.700 1.700 0 0 1-2.400-2.400l7.900-7.900";

/**
 * @typedef {object} Parcel one file on its way
 * @property {File} file
 * @property {string} key the same at every try, so that it is sent once
 * @property {number} to the conversation; 0 until there is one
 * @property {number} at when it was chosen
 * @property {string} failure why it is not sent; empty: it waits or goes
 * @property {boolean} isFinal trying again is of no use
 * @property {XMLHttpRequest | null} request
 * @property {HTMLElement} row
 * @property {HTMLProgressElement} bar
 *
 * @typedef {object} FilesParts
 * @property {import("./composer.js").Composer} composer
 * @property {HTMLElement} zone where files may be dropped
 * @property {() => number | null} here the conversation that is shown
 * @property {() => Promise<number>} open the conversation, made if there is none
 * @property {() => Promise<Record<string, string>>} headers what a request needs
 * @property {() => number} bytesMax 0: nobody knows
 * @property {(to: number) => {at: number, failure?: string}[]} texts what is written there and not stored
 * @property {() => void} freed what was written later may go
 * @property {(to: number) => Promise<string>} [may] why nothing may be sent there; empty: it may
 */

/** A server that keeps a file answers sooner, however slow its storage is. */
const STALL_MS = 120_000;

/**
 * Sends what is picked, pasted or dropped: one after the other, each once. Texts and
 * files stand in the order in which the person sent them: a file waits for texts of
 * before, and texts of later (`heldFrom`) for the file, until it is there or fails.
 */
export class Files {
  /** @param {FilesParts} parts */
  constructor(parts) {
    this.parts = parts;
    this.lines = new FileLines(parts.headers);
    /** @type {Parcel[]} in the order of choosing */
    this.parcels = [];
    this.isBusy = false;
    this.input = h("input", { type: "file", multiple: true, hidden: true, tabIndex: -1, onchange: () => this.picked() });
    this.button = h(
      "button",
      { type: "button", class: "composer-attach", "aria-label": word("attach"), title: word("attach"), onclick: () => this.input.click() },
      icon("clip"),
    );
    this.note = h("li", { class: "tray-note", role: "status" }, word("follows"));
    /** Looks again whether earlier texts are stored. */
    this.look = () => {};
    this.tray = h("ul", { class: "tray", "aria-label": word("files"), hidden: true });
    const { composer, zone } = parts;
    composer.element.prepend(this.tray, this.button, this.input);
    composer.input.addEventListener("paste", (event) => this.came(event, event.clipboardData));
    zone.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (!this.button.hidden) zone.dataset.drop = word("drop");
    });
    zone.addEventListener("dragleave", (event) => {
      if (!zone.contains(/** @type {Node | null} */ (event.relatedTarget))) delete zone.dataset.drop;
    });
    zone.addEventListener("drop", (event) => {
      delete zone.dataset.drop;
      // Else the browser would go to the file.
      if (event.dataTransfer?.files.length) event.preventDefault();
      this.came(event, event.dataTransfer);
    });
  }

  picked() {
    this.add([...(this.input.files ?? [])]);
    this.input.value = "";
    this.parts.composer.focus();
  }

  /**
   * @param {Event} event
   * @param {DataTransfer | null} brought
   */
  came(event, brought) {
    const files = [...(brought?.files ?? [])];
    if (!files.length || this.button.hidden) return;
    event.preventDefault();
    this.add(files);
  }

  /** @param {File[]} files */
  add(files) {
    const to = this.parts.here() ?? 0;
    for (const file of files) {
      const key = `f-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
      const bar = h("progress", { max: 1, value: 0, "aria-label": file.name });
      /** @type {Parcel} */
      const parcel = { file, key, to, at: Date.now(), failure: "", isFinal: false, request: null, row: h("li"), bar };
      const max = this.parts.bytesMax();
      if (!file.size) this.fail(parcel, word("empty"), true);
      else if (max && file.size > max) this.fail(parcel, word("tooLarge", { size: sizeText(max) }), true);
      this.parcels.push(parcel);
      this.draw(parcel);
    }
    void this.go();
  }

  /** @returns {Parcel[]} what belongs to the conversation that is shown */
  show() {
    const here = this.parts.here() ?? 0;
    const shown = this.parcels.filter(({ to }) => !to || to === here);
    const isHeld = this.parts.texts(here).some(({ at, failure }) => !failure && at > this.heldFrom(here));
    const rows = [...shown.map(({ row }) => row), ...(isHeld ? [this.note] : [])];
    // Drawn at every change around it; what is pressed right now must stay.
    if (rows.length !== this.tray.children.length || rows.some((row, i) => row !== this.tray.children[i])) fill(this.tray, ...rows);
    this.tray.hidden = !shown.length;
    this.look();
    return shown;
  }

  /**
   * @param {number} conversation
   * @returns {number} what is written there later waits for a file; Infinity: nothing does
   */
  heldFrom(conversation) {
    const going = this.parcels.filter(({ to, failure }) => !failure && (!to || to === conversation));
    return Math.min(...going.map(({ at }) => at));
  }

  async go() {
    if (this.isBusy) return;
    this.isBusy = true;
    for (let next; (next = this.parcels.find((each) => !each.failure)); ) await this.carry(next);
    this.isBusy = false;
  }

  /** @param {Parcel} parcel */
  async carry(parcel) {
    try {
      parcel.to ||= await this.parts.open();
      const refusal = (await this.parts.may?.(parcel.to)) ?? "";
      await this.turn(parcel);
      if (!this.parcels.includes(parcel)) return;
      if (refusal) return this.fail(parcel, refusal);
      const status = await this.put(parcel, await this.parts.headers());
      if (status === 200) this.drop(parcel);
      else if (status >= 0) this.refused(parcel, status);
    } catch {
      this.fail(parcel, word("failed"));
    } finally {
      if (this.parcels.includes(parcel)) this.draw(parcel);
    }
  }

  /** @param {Parcel} parcel waits until what was written before it is stored, or it is taken back */
  async turn(parcel) {
    const isLate = () => this.parcels.includes(parcel) && this.parts.texts(parcel.to).some(({ at, failure }) => !failure && at <= parcel.at);
    // Who looks at another page draws nothing here.
    while (isLate()) await new Promise((resolve) => (setTimeout(resolve, 500), (this.look = () => resolve(null))));
  }

  /**
   * @param {Parcel} parcel
   * @param {Record<string, string>} headers
   * @returns {Promise<number>} the status; 0: nobody answered; -1: taken back
   */
  put(parcel, headers) {
    const request = (parcel.request = new XMLHttpRequest());
    request.open("PUT", `/api/conversations/${parcel.to}/files/${parcel.key}?name=${encodeURIComponent(parcel.file.name.slice(-200))}`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("content-type", "application/octet-stream");
    let isStalled = false;
    let timer = 0;
    const moves = () => {
      clearTimeout(timer);
      timer = setTimeout(() => ((isStalled = true), request.abort()), STALL_MS);
    };
    request.upload.onprogress = ({ loaded, total }) => (moves(), (parcel.bar.value = total ? loaded / total : 0));
    return new Promise((resolve) => {
      request.onloadend = () => clearTimeout(timer);
      request.onload = () => resolve(request.status);
      request.onerror = () => resolve(0);
      request.onabort = () => resolve(isStalled ? 0 : -1);
      moves();
      request.send(parcel.file);
      this.draw(parcel);
    });
  }

  /**
   * @param {Parcel} parcel
   * @param {number} status
   */
  refused(parcel, status) {
    if (status === 413) this.fail(parcel, word("tooLargeHere"), true);
    else if (status === 403 || status === 400) this.fail(parcel, word("notAllowed"), true);
    else if (status === 429) this.fail(parcel, word("tooMany", { when: whenText(secondsIn(parcel.request?.responseText)) }));
    else this.fail(parcel, word("failed"));
  }

  /**
   * @param {Parcel} parcel
   * @param {string} failure
   */
  fail(parcel, failure, isFinal = false) {
    Object.assign(parcel, { failure, isFinal });
    this.parts.freed();
  }

  /** @param {Parcel} parcel */
  again(parcel) {
    // It is sent now, after what was written meanwhile.
    Object.assign(parcel, { failure: "", at: Date.now() });
    parcel.bar.value = 0;
    this.draw(parcel);
    void this.go();
  }

  /** @param {Parcel} parcel taken back, or sent */
  drop(parcel) {
    this.parcels = this.parcels.filter((each) => each !== parcel);
    parcel.request?.abort();
    this.parts.freed();
    this.show();
  }

  /** @param {Parcel} parcel */
  draw(parcel) {
    const { file, failure, isFinal, row, request, bar } = parcel;
    row.className = failure ? "parcel failed" : "parcel";
    const told = failure || (request ? sizeText(file.size) : word("waiting"));
    fill(
      row,
      h("span", { class: "parcel-text" }, fileName(file.name), h("span", { class: "file-size", role: "status" }, told)),
      !failure && bar,
      failure && !isFinal && h("button", { type: "button", class: "link", onclick: () => this.again(parcel) }, word("retry")),
      h("button", { type: "button", class: "parcel-drop", "aria-label": `${word("cancel")}: ${file.name}`, title: word("cancel"), onclick: () => this.drop(parcel) }, icon("close")),
    );
    this.show();
  }
}
