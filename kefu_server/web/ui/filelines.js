import { fill, h, icon, ICONS } from "./dom.js";
import { sizeText, word } from "./filewords.js";

ICONS.file = "M6.500 3.500h7l4 4v13h-11zM13 3.500v4.500h4.500";
const SIDE_PX = 240;
const END_CHARS = 9;

/**
 * @param {string} name
 * @returns {HTMLElement} what has no room is left out in the middle: its ending tells most
 */
export function fileName(name) {
  const letters = [...name];
  const end = letters.length > 2 * END_CHARS ? letters.splice(-END_CHARS).join("") : "";
  return h("span", { class: "file-name" }, h("bdi", null, letters.join("")), end && h("bdi", null, end));
}

/**
 * What a message of kind `file` shows: a picture with a small one, else a card. Both are
 * fetched with the page's own credential, so that no address holds a secret.
 */
export class FileLines {
  /** @param {() => Promise<Record<string, string>>} headers what a request needs */
  constructor(headers) {
    this.headers = headers;
    /** @type {Map<number, HTMLElement>} drawn once, whatever happens around them */
    this.drawn = new Map();
  }

  /**
   * @param {import("./items.js").Line} line
   * @returns {HTMLElement}
   */
  of({ body, data }) {
    const { file = 0, size = 0, width = 0, height = 0, thumbnail = false } = data ?? {};
    const old = this.drawn.get(file);
    if (old) return old;
    const state = h("span", { class: "file-size" }, sizeText(size));
    const isPicture = thumbnail && width > 0 && height > 0;
    const button = h(
      "button",
      { type: "button", class: isPicture ? "picture" : "file-card", title: body, "aria-label": word("download", { name: body }) },
      isPicture ? this.picture(file, body, width, height) : icon("file"),
      !isPicture && h("span", { class: "file-text" }, fileName(body), state),
    );
    button.addEventListener("click", () => this.save(file, body, button, state, size));
    this.drawn.set(file, button);
    return button;
  }

  /**
   * @param {number} file
   * @param {string} name
   * @param {number} width
   * @param {number} height
   */
  picture(file, name, width, height) {
    const scale = Math.min(1, SIDE_PX / width, SIDE_PX / height);
    const image = h("img", { alt: name, decoding: "async" });
    const [wide, high] = [width, height].map((side) => Math.max(24, Math.round(side * scale)));
    // The place is there before the picture is, so that nothing moves.
    const place = h("span", { class: "picture-place" }, image);
    place.style.setProperty("width", `${wide}px`);
    place.style.setProperty("aspect-ratio", `${wide} / ${high}`);
    this.fetch(`/api/files/${file}/thumbnail`).then(
      (blob) => {
        image.src = URL.createObjectURL(blob);
      },
      () => image.classList.add("broken"),
    );
    return place;
  }

  /** @param {string} path */
  async fetch(path) {
    const response = await fetch(path, { headers: await this.headers() });
    if (!response.ok) throw new Error(String(response.status));
    return response.blob();
  }

  /**
   * @param {number} file
   * @param {string} name
   * @param {HTMLButtonElement} button
   * @param {HTMLElement} state
   * @param {number} size
   */
  async save(file, name, button, state, size) {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      const address = URL.createObjectURL(await this.fetch(`/api/files/${file}`));
      h("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      fill(state, sizeText(size));
    } catch {
      fill(state, word("gone"));
      if (!state.isConnected) button.append(state);
    }
    button.ariaBusy = "false";
  }
}
