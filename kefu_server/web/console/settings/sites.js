/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { box, field, quiet } from "./form.js";
import { tell } from "./phrases.js";
import { ListSection } from "./section.js";

/**
 * @typedef {object} Site
 * @property {number} id
 * @property {string} name
 * @property {string} embed_key
 * @property {string[]} allowed_origins
 * @property {string} locale
 * @property {number} retention_days
 * @property {{identity: {is_required: boolean}}} settings
 */

/** @param {Desk} desk */
export function make(desk) {
  return new SitesSection(desk);
}

/** The shops that this installation answers for, each with the line for its pages. */
class SitesSection extends ListSection {
  async load() {
    const answer = await this.call("sites.list");
    if (!answer) return;
    fill(this.list, ...answer.sites.map((/** @type {Site} */ site) => this.card(site)));
    this.offer(tell("addSite"), (place) => this.edit(place, null));
  }

  /** @param {Site} site */
  card(site) {
    const line = `<script async src="${location.origin}/widget.js" data-site="${site.embed_key}"></script>`;
    const copy = quiet(tell("copy"), () => void this.copy(line, copy));
    const days = site.retention_days ? tell("keptDays", { count: site.retention_days }) : tell("keptForEver");
    const origins = site.allowed_origins.length ? site.allowed_origins.join(", ") : tell("noOrigins");
    const held = h("span", null, quiet(tell("showSecret"), () => void this.reveal(site, held)));
    const card = h("div", { class: "card" });
    fill(
      card,
      h("h2", null, h("bdi", null, site.name)),
      h("p", { class: "more" }, h("bdi", null, origins), ` · ${site.locale} · ${days}`),
      h("p", { class: "more" }, tell("snippetMore")),
      h("pre", { class: "snippet", tabIndex: 0 }, h("code", null, line)),
      h("div", { class: "card-tools" }, copy, quiet(tell("change"), () => this.edit(card, site)), held),
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
    const strict = h("input", { type: "checkbox", checked: site?.settings.identity.is_required ?? false });
    const renew = h("input", { type: "checkbox" });
    const read = () => ({
      method: "site.put",
      params: {
        name: name.value.trim(), locale: locale.value, retention_days: Number(days.value),
        allowed_origins: origins.value.split(/\s+/).filter(Boolean),
        settings: { identity: { is_required: strict.checked } },
        ...(site ? { site: site.id, new_secret: renew.checked } : {}),
      },
    });
    this.ask(
      place, !site, read,
      field(tell("siteName"), name),
      field(tell("origins"), origins, tell("originsMore")),
      field(tell("language"), locale),
      field(tell("retention"), days, tell("retentionMore")),
      box(strict, tell("onlySigned"), tell("onlySignedMore")),
      site && box(renew, tell("newSecret"), tell("newSecretMore")),
    );
  }

  /**
   * @param {string} code
   * @param {string} text
   */
  faultOf(code, text) {
    return code === "bad_request" ? tell("siteWrong") : text;
  }
}
