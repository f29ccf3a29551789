import { h } from "../../ui/dom.js";
import { field } from "../settings/form.js";
import { tell } from "./phrases.js";

const HOUR_MS = 3_600_000;
const ENDS = /** @type {const} */ ([["hour", HOUR_MS], ["day", 24 * HOUR_MS], ["month", 720 * HOUR_MS], ["never", 0]]);

/** For how long, and why: what every ban is asked. */
export class Terms {
  constructor() {
    this.reason = h("input", { type: "text", maxLength: 200, autocomplete: "off", dir: "auto" });
    this.ends = h("select", null, ...ENDS.map(([name, ms]) => h("option", { value: String(ms) }, tell(name))));
    this.ends.value = String(24 * HOUR_MS);
    this.fields = [field(tell("reason"), this.reason, tell("reasonMore")), field(tell("ends"), this.ends)];
  }

  /** @returns {{reason: string, expires_at: number}} */
  read() {
    const ms = Number(this.ends.value);
    return { reason: this.reason.value.trim(), expires_at: ms ? Date.now() + ms : 0 };
  }
}
