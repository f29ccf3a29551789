/** @import {Desk} from "../desk.js" */
/** @import {Visit} from "./line.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

const CHARS = 300;

/** Asks a visitor into the chat, with words of one's own or with those of the widget. */
export class InviteForm {
  /**
   * @param {Desk} desk
   * @param {number} visitor
   */
  constructor(desk, visitor) {
    this.desk = desk;
    this.visitor = visitor;
    this.text = h("input", { maxLength: CHARS, "aria-label": tell("inviteText"), placeholder: tell("inviteText"), autocomplete: "off", dir: "auto" });
    this.button = h("button", { class: "primary" }, tell("invite"));
    this.form = h("form", { class: "visit-invite", onsubmit: (/** @type {Event} */ event) => this.send(event) }, this.text, this.button);
    this.why = h("span", { class: "more" });
    this.fault = h("span", { class: "fault", role: "alert" });
    this.element = h("div", { class: "visit-inviting" }, this.form, this.why, this.fault);
  }

  /** @param {Visit} row */
  show(row) {
    const isOpen = row.invitation === "sent" || row.invitation === "shown";
    const why = row.conversation !== null ? "" : row.has_refused ? "refusedBefore" : isOpen ? "invitedWait" : "";
    this.form.hidden = row.conversation !== null || row.has_refused || isOpen;
    fill(this.why, why && tell(why));
  }

  /** @param {Event} event */
  async send(event) {
    event.preventDefault();
    fill(this.fault);
    this.button.disabled = true;
    try {
      await this.desk.chat.call("visit.invite", { visitor: this.visitor, text: this.text.value.trim() });
      this.text.value = "";
    } catch (error) {
      const code = error instanceof Refusal ? error.code : "";
      fill(this.fault, tell(code === "not_found" ? "gone" : code === "conflict" ? "inviteConflict" : "inviteFailed"));
    }
    this.button.disabled = false;
  }
}
