/** @import {Choice} from "../client/transports.js" */
import { fill, h } from "../ui/dom.js";
import { t } from "../ui/i18n.js";
import { choice, choose, CHOICES, say } from "./phrases.js";

/**
 * How to connect: one of three, with a sentence about the one that is chosen.
 * @param {(chosen: Choice) => void} [changed]
 * @returns {HTMLElement}
 */
export function transportChoice(changed) {
  const more = h("p", { class: "ways-more", id: "ways-more", role: "status" }, say(`${choice()}More`));
  const ways = CHOICES.map((name) => {
    const radio = h("input", {
      type: "radio",
      name: "transport",
      value: name,
      checked: name === choice(),
      "aria-describedby": "ways-more",
      onchange() {
        choose(name);
        fill(more, say(`${name}More`));
        changed?.(name);
      },
    });
    return h("label", null, radio, h("span", null, say(name)));
  });
  return h("fieldset", { class: "ways" }, h("legend", null, say("choice")), h("div", { class: "ways-row" }, ...ways), more);
}

/** The light that says whether the console receives, and by which transport. */
export class Light {
  /** @param {(chosen: Choice) => void} changed */
  constructor(changed) {
    this.mark = "";
    this.text = h("span", { class: "live-text" });
    this.heard = h("span", { class: "only-heard", role: "status" });
    this.button = h(
      "button",
      { type: "button", class: "live-light", "aria-expanded": "false", "aria-controls": "live-panel", onclick: () => this.open(this.panel.hidden) },
      h("i", { "aria-hidden": "true" }),
      this.text,
    );
    this.now = h("p", { class: "live-now" });
    this.panel = h("div", { class: "live-panel", id: "live-panel", role: "group", "aria-label": say("details"), tabIndex: -1, hidden: true }, this.now, transportChoice(changed));
    this.element = h("div", { class: "live-frame", onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event) }, this.button, this.panel, this.heard);
    this.element.addEventListener("focusout", ({ relatedTarget }) => {
      const isInside = this.element.contains(/** @type {Node | null} */ (relatedTarget));
      // A window that loses the focus gives it back to where it was.
      if (!isInside && document.hasFocus()) this.open(false);
    });
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    this.panel.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Escape" || this.panel.hidden) return;
    // Escape closes this, not the conversation.
    event.stopPropagation();
    this.open(false);
    this.button.focus();
  }

  /**
   * @param {boolean} isLive
   * @param {Choice} transport
   */
  show(isLive, transport) {
    const mark = isLive ? transport : "none";
    if (mark === this.mark) return;
    this.mark = mark;
    this.button.className = `live-light ${isLive ? "live" : "dead"}`;
    this.button.dataset.transport = isLive ? transport : "";
    const state = isLive ? t("live") : say("none");
    fill(this.text, h("b", null, state), isLive && h("small", null, say(transport)));
    this.button.title = isLive ? `${state} · ${say(transport)}` : state;
    fill(this.now, isLive ? say("inUse") : state, isLive && h("strong", null, say(transport)));
    // The loss has an alarm of its own.
    if (isLive) fill(this.heard, this.button.title);
  }
}
