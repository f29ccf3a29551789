/** @import {Desk} from "../desk.js" */
import { h } from "../../ui/dom.js";
import { getLocale } from "../../ui/i18n.js";
import { box, field } from "../settings/form.js";
import { SiteCards } from "./cards.js";
import { tell } from "./phrases.js";

/**
 * @typedef {{opens: number, closes: number}} Span minutes since midnight
 * @typedef {{day: string, name: string, spans: Span[]}} Holiday
 */

/** @type {(minutes: number) => string} such as 09:00 */
const clockText = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** @type {(spans: Span[]) => string} such as "09:00-12:00, 13:00-18:00" */
export const spansText = (spans) => spans.map(({ opens, closes }) => `${clockText(opens)}-${clockText(closes)}`).join(", ");

/**
 * @param {string} text
 * @returns {Span[] | null} null: that is no list of times
 */
export function spansIn(text) {
  const parts = text.split(/[,，、;；]/).map((part) => part.trim()).filter(Boolean);
  const spans = parts.map((part) => {
    const found = /^(\d{1,2})[:：](\d\d)\s*[-–—~～至到]\s*(\d{1,2})[:：](\d\d)$/.exec(part);
    if (!found) return null;
    const [h1, m1, h2, m2] = found.slice(1).map(Number);
    const isTime = m1 < 60 && m2 < 60 && h1 < 24 && h2 * 60 + m2 <= 1440;
    return isTime ? { opens: h1 * 60 + m1, closes: h2 * 60 + m2 } : null;
  });
  return spans.includes(null) ? null : /** @type {Span[]} */ (spans);
}

/** @type {(holidays: Holiday[]) => string} one a line */
export const holidaysText = (holidays) => holidays.map(({ day, name, spans }) => [day, spansText(spans), name].filter(Boolean).join(" ")).join("\n");

/**
 * @param {string} text a line each: a day, times if it is open, a name
 * @returns {Holiday[] | null} null: a line is none
 */
export function holidaysIn(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const found = lines.map((line) => {
    const [, day, times = "", name = ""] = /^(\d{4}-\d\d-\d\d)((?:[\s,，、]+\d{1,2}[:：]\d\d\s*[-–—~～至到]\s*\d{1,2}[:：]\d\d)*)\s*(.*)$/.exec(line) ?? [];
    const spans = spansIn(times.replace(/^\s+/, "").replace(/\s+(?=\d{1,2}[:：]\d\d\s*[-–—~～至到])/g, ","));
    return day && spans ? { day, name, spans } : null;
  });
  return found.includes(null) ? null : /** @type {Holiday[]} */ (found);
}

/** @returns {string[]} the time zones that this browser knows */
function zones() {
  return Intl.supportedValuesOf?.("timeZone") ?? [];
}

/** @param {number} at Monday is 0 */
function dayName(at) {
  return new Intl.DateTimeFormat(getLocale(), { weekday: "long", timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + at));
}

/** @param {Desk} desk */
export function make(desk) {
  return new SiteCards(desk, { part: "hours", more: tell("hoursMore"), fields });
}

/** @param {import("./cards.js").SiteRow} site */
function fields({ id, settings: { hours } }) {
  const isOn = h("input", { type: "checkbox", checked: hours.is_on });
  const isStrict = h("input", { type: "checkbox", checked: hours.is_strict });
  const known = h("datalist", { id: `zones-${id}` }, ...zones().map((value) => h("option", { value })));
  const zone = h("input", { value: hours.zone || Intl.DateTimeFormat().resolvedOptions().timeZone, maxLength: 64, autocomplete: "off", spellcheck: false });
  zone.setAttribute("list", known.id);
  const days = hours.week.map((/** @type {Span[]} */ spans) => h("input", { value: spansText(spans), placeholder: tell("dayClosed"), autocomplete: "off", spellcheck: false }));
  const holidays = h("textarea", { value: holidaysText(hours.holidays), placeholder: "2026-10-01 国庆节\n2026-12-24 09:00-12:00", spellcheck: false });
  const check = (/** @type {HTMLInputElement | HTMLTextAreaElement} */ input, /** @type {any} */ found, /** @type {"spansWrong" | "holidaysWrong"} */ wrong) => input.setCustomValidity(found ? "" : tell(wrong));
  for (const day of days) day.addEventListener("input", () => check(day, spansIn(day.value), "spansWrong"));
  holidays.addEventListener("input", () => check(holidays, holidaysIn(holidays.value), "holidaysWrong"));
  return {
    nodes: [
      box(isOn, tell("hoursOn"), tell("hoursOnMore")),
      field(tell("zone"), zone),
      known,
      h("fieldset", { class: "boxes week" }, h("legend", null, tell("week")), h("small", { class: "more" }, tell("weekMore")), ...days.map((/** @type {HTMLElement} */ day, /** @type {number} */ at) => h("label", { class: "field" }, dayName(at), day))),
      field(tell("holidays"), holidays, tell("holidaysMore")),
      box(isStrict, tell("strict"), tell("strictMore")),
    ],
    read: () => ({
      is_on: isOn.checked,
      is_strict: isStrict.checked,
      zone: zone.value.trim(),
      week: days.map((/** @type {HTMLInputElement} */ day) => spansIn(day.value) ?? []),
      holidays: holidaysIn(holidays.value) ?? [],
    }),
  };
}
