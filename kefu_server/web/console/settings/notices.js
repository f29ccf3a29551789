import { fill, h } from "../../ui/dom.js";
import { notices } from "../notices.js";
import { tell } from "./phrases.js";

export function make() {
  return new NoticesSection();
}

class NoticesSection {
  constructor() {
    const sound = h("input", { type: "checkbox", onchange: () => notices.useSound(sound.checked) });
    const desktop = h("input", { type: "checkbox", onchange: () => void this.ask() });
    this.sound = sound;
    this.desktop = desktop;
    this.fault = h("p", { class: "fault", role: "alert" });
    const hear = (/** @type {"message" | "conversation"} */ tone, /** @type {string} */ text) =>
      h("button", { type: "button", class: "plain small", onclick: () => notices.play(tone) }, text);
    this.element = h(
      "section",
      { class: "card" },
      h("h2", null, tell("notices")),
      h("p", { class: "more" }, tell("noticesMore")),
      h("label", { class: "switch" }, sound, h("span", null, h("b", null, tell("sound")), h("small", null, tell("soundMore")))),
      h("p", { class: "card-tools" }, hear("message", tell("tryMessage")), hear("conversation", tell("tryConversation"))),
      h("label", { class: "switch" }, desktop, h("span", null, h("b", null, tell("desktop")), h("small", null, tell("desktopMore")))),
      this.fault,
    );
  }

  enter() {
    this.sound.checked = notices.hasSound;
    this.desktop.checked = notices.hasDesktop;
    this.desktop.disabled = !("Notification" in globalThis);
    fill(this.fault, this.desktop.disabled && tell("desktopMissing"));
  }

  async ask() {
    const isAllowed = await notices.useDesktop(this.desktop.checked);
    this.desktop.checked = notices.hasDesktop;
    fill(this.fault, !isAllowed && tell("desktopDenied"));
  }
}
