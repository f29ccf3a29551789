import { fill, h, icon } from "../ui/dom.js";
import { t } from "../ui/i18n.js";
import { say } from "./phrases.js";

const RING_MS = 12_000;

/** The red bar, and a sound: you are not receiving, and are offline for others soon. */
export class Alarm {
  /**
   * @param {() => void} wake try to connect at once
   * @param {() => void} ring be heard, now and again until all is well
   */
  constructor(wake, ring) {
    this.wake = wake;
    this.ring = ring;
    this.rangAt = 0;
    this.element = h("div", { class: "alarm", role: "alert", hidden: true });
    this.mark = "";
  }

  /** @param {"" | "lost" | "stopped"} mark */
  show(mark) {
    if (mark && Date.now() - this.rangAt > RING_MS) {
      this.rangAt = Date.now();
      this.ring();
    }
    if (!mark) this.rangAt = 0;
    if (mark === this.mark) return;
    this.mark = mark;
    this.element.hidden = !mark;
    document.documentElement.classList.toggle("is-lost", Boolean(mark));
    const isStopped = mark === "stopped";
    const button = h("button", { type: "button", onclick: isStopped ? () => location.reload() : this.wake }, t(isStopped ? "reload" : "retrying"));
    fill(this.element, icon("close"), h("strong", null, isStopped ? t("stopped") : say("notReceiving")), button);
  }
}
