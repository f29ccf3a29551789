import { h, icon } from "../ui/dom.js";

/** A button that shows and hides something, over the page or in it. */
export class Disclosure {
  /**
   * @param {object} parts
   * @param {string} parts.id of what is shown
   * @param {string} parts.name the button's, also for those who hear it
   * @param {(Node | string)[]} parts.face what stands in the button
   * @param {HTMLElement} parts.panel
   * @param {boolean} [parts.isMenu] it lies over the page and goes by itself
   * @param {() => void} [parts.opened]
   */
  constructor({ id, name, face, panel, isMenu = false, opened = () => {} }) {
    this.panel = panel;
    this.opened = opened;
    panel.id = id;
    panel.hidden = true;
    this.button = h(
      "button",
      { type: "button", class: "plain small opens", "aria-label": name, title: name, "aria-expanded": "false", "aria-controls": id, onclick: () => this.toggle() },
      ...face,
      icon("down"),
    );
    this.element = h("div", { class: isMenu ? "menu-frame" : "opens-frame", onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event) }, this.button);
    if (!isMenu) return;
    this.element.append(panel);
    this.element.addEventListener("focusout", ({ relatedTarget }) => {
      const isInside = this.element.contains(/** @type {Node | null} */ (relatedTarget));
      // A window that loses the focus gives it back to where it was.
      if (!isInside && document.hasFocus()) this.open(false);
    });
  }

  toggle() {
    this.open(this.panel.hidden);
    if (!this.panel.hidden) this.opened();
  }

  /** @param {boolean} isOpen */
  open(isOpen) {
    this.panel.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Escape" || this.panel.hidden) return;
    // Escape closes this, not what lies under it.
    event.stopPropagation();
    this.open(false);
    this.button.focus();
  }
}
