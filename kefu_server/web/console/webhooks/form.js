import { h } from "../../ui/dom.js";
import { tell } from "./phrases.js";

/**
 * @typedef {object} Hook
 * @property {number} id
 * @property {string} url
 * @property {string} secret
 * @property {string[]} events
 * @property {number} site_id
 * @property {boolean} is_active
 * @property {number | null} failing_since
 * @property {string} note
 */

/**
 * What a webhook is, to be filled in.
 * @param {object} parts
 * @param {Hook | null} parts.row null for a new one
 * @param {string[]} parts.events
 * @param {Map<number, string>} parts.sites
 * @param {(params: Record<string, any>) => Promise<void>} parts.save
 * @param {() => void} parts.cancel
 */
export function form({ row, events, sites, save, cancel }) {
  const url = h("input", { type: "url", required: true, maxLength: 1000, value: row?.url ?? "", placeholder: "https://", autocomplete: "off" });
  const site = h("select", null, ...[[0, tell("anySite")], ...sites].map(([id, name]) => h("option", { value: String(id) }, String(name))));
  site.value = String(row?.site_id ?? 0);
  const wanted = new Set(row?.events ?? ["message.created"]);
  const boxes = events.map((event) => h("input", { type: "checkbox", value: event, checked: wanted.has(event) }));
  const active = h("input", { type: "checkbox", checked: row?.is_active ?? true });
  const renew = h("input", { type: "checkbox" });
  const box = (/** @type {HTMLInputElement} */ input, /** @type {string} */ text) => h("label", { class: "switch" }, input, h("span", null, text));
  const button = h("button", { class: "primary" }, tell("save"));
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    button.disabled = true;
    const chosen = boxes.filter((each) => each.checked).map((each) => each.value);
    await save({
      ...(row ? { webhook: row.id } : {}),
      url: url.value.trim(), site: Number(site.value), events: chosen, is_active: active.checked, new_secret: renew.checked,
    });
    button.disabled = false;
  };
  return h(
    "form",
    { onsubmit: submit },
    h("label", { class: "field" }, tell("url"), url),
    h("label", { class: "field" }, tell("site"), site),
    h("fieldset", { class: "hook-events" }, h("legend", null, tell("events")), ...boxes.map((input, at) => box(input, events[at]))),
    row && box(active, tell("isActive")),
    row && box(renew, tell("newSecret")),
    h("div", { class: "card-tools" }, button, h("button", { type: "button", class: "plain", onclick: cancel }, tell("cancel"))),
  );
}
