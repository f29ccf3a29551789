/** @import {Desk} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Site
 * @property {number} id
 * @property {string} name
 * @property {string} embed_key
 * @property {string[]} allowed_origins
 * @property {string} locale
 * @property {number} retention_days
 */

/** @param {Desk} desk */
export function make(desk) {
  return new SitesSection(desk);
}

/** The shops that this installation answers for, each with the line for its pages. */
class SitesSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.fault = h("p", { class: "fault", role: "alert" });
    this.list = h("div", null);
    this.adding = h("div", null);
    this.element = h("section", null, this.fault, this.list, this.adding);
    this.isDue = false;
  }

  enter() {
    this.isDue = true;
    this.show();
  }

  show() {
    if (!this.isDue || !this.desk.chat.isLive) return;
    this.isDue = false;
    void this.load();
  }

  async load() {
    const answer = await this.call("sites.list", {});
    if (!answer) return;
    fill(this.list, ...answer.sites.map((/** @type {Site} */ site) => this.card(site)));
    fill(this.adding, h("button", { type: "button", class: "primary", onclick: () => this.edit(this.adding, null) }, tell("addSite")));
  }

  /** @param {Site} site */
  card(site) {
    const line = `<script async src="${location.origin}/widget.js" data-site="${site.embed_key}"></script>`;
    const copy = h("button", { type: "button", class: "plain small", onclick: () => void this.copy(line, copy) }, tell("copy"));
    const days = site.retention_days ? tell("keptDays", { count: site.retention_days }) : tell("keptForEver");
    const origins = site.allowed_origins.length ? site.allowed_origins.join(", ") : tell("noOrigins");
    const held = h("span", null, h("button", { type: "button", class: "plain small", onclick: () => void this.reveal(site, held) }, tell("showSecret")));
    const card = h("div", { class: "card" });
    fill(
      card,
      h("h2", null, h("bdi", null, site.name)),
      h("p", { class: "more" }, h("bdi", null, origins), ` · ${site.locale} · ${days}`),
      h("p", { class: "more" }, tell("snippetMore")),
      h("pre", { class: "snippet", tabIndex: 0 }, h("code", null, line)),
      h("div", { class: "card-tools" }, copy, h("button", { type: "button", class: "plain small", onclick: () => this.edit(card, site) }, tell("change")), held),
    );
    return card;
  }

  /**
   * @param {string} text
   * @param {HTMLElement} button
   */
  async copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
      fill(button, tell("copied"));
    } catch {
      const range = document.createRange();
      range.selectNodeContents(/** @type {Node} */ (button.closest(".card")?.querySelector("code")));
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
    }
  }

  /**
   * @param {Site} site
   * @param {HTMLElement} place
   */
  async reveal(site, place) {
    const answer = await this.call("site.secret", { site: site.id });
    if (answer) fill(place, h("code", { class: "secret" }, answer.secret));
  }

  /**
   * @param {HTMLElement} place where the form stands
   * @param {Site | null} site
   */
  edit(place, site) {
    const name = h("input", { required: true, maxLength: 100, value: site?.name ?? "" });
    const origins = h("textarea", { value: site?.allowed_origins.join("\n") ?? "", placeholder: "https://shop.example", spellcheck: false });
    const locale = h("select", null, h("option", { value: "zh-CN" }, "中文"), h("option", { value: "en" }, "English"));
    locale.value = site?.locale ?? "zh-CN";
    const days = h("input", { type: "number", min: "0", max: "36500", value: String(site?.retention_days ?? 0) });
    const renew = h("input", { type: "checkbox" });
    const save = h("button", { class: "primary" }, tell("save"));
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      save.disabled = true;
      const params = {
        name: name.value.trim(), locale: locale.value, retention_days: Number(days.value),
        allowed_origins: origins.value.split(/\s+/).filter(Boolean),
        ...(site ? { site: site.id, new_secret: renew.checked } : {}),
      };
      if (await this.call("site.put", params)) await this.load();
      save.disabled = false;
    };
    const field = (/** @type {string} */ text, /** @type {HTMLElement} */ input, more = "") => h("label", { class: "field" }, text, input, more && h("small", null, more));
    const form = h(
      "form",
      { onsubmit: submit },
      field(tell("siteName"), name),
      field(tell("origins"), origins, tell("originsMore")),
      field(tell("language"), locale),
      field(tell("retention"), days, tell("retentionMore")),
      site && h("label", { class: "switch" }, renew, h("span", null, h("b", null, tell("newSecret")), h("small", null, tell("newSecretMore")))),
      h("div", { class: "card-tools" }, save, h("button", { type: "button", class: "plain", onclick: () => void this.load() }, tell("cancel"))),
    );
    fill(place, site ? form : h("div", { class: "card" }, form));
    name.focus();
  }

  /**
   * @param {string} method
   * @param {Record<string, any>} params
   * @returns {Promise<any>} null when it was refused, which is said
   */
  async call(method, params) {
    try {
      const answer = await this.desk.chat.call(method, params);
      fill(this.fault);
      return answer;
    } catch (error) {
      const isWrong = error instanceof Refusal && error.code === "bad_request";
      fill(this.fault, isWrong ? tell("siteWrong") : tell("failed"));
      this.fault.scrollIntoView({ block: "nearest" });
      return null;
    }
  }
}
