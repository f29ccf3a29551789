import { fill, h, icon } from "../ui/dom.js";
import { t } from "../ui/i18n.js";
import { say } from "./phrases.js";

/** The red bar: you are not receiving. */
export class Alarm {
  /** @param {() => void} wake try to connect at once */
  constructor(wake) {
    this.wake = wake;
    this.element = h("div", { class: "alarm", role: "alert", hidden: true });
    this.mark = "";
  }

  /** @param {"" | "lost" | "stopped"} mark */
  show(mark) {
    if (mark === this.mark) return;
    this.mark = mark;
    this.element.hidden = !mark;
    document.documentElement.classList.toggle("is-lost", Boolean(mark));
    const isStopped = mark === "stopped";
    const button = h("button", { type: "button", onclick: isStopped ? () => location.reload() : this.wake }, t(isStopped ? "reload" : "retrying"));
    fill(this.element, icon("close"), h("strong", null, isStopped ? t("stopped") : say("notReceiving")), button);
  }
}
