import { h } from "../../ui/dom.js";
import { clock, span } from "../../ui/time.js";
import { tell } from "./phrases.js";

/** @typedef {{url: string, title: string, at: number, seconds: number}} SeenPage */

/**
 * @param {SeenPage[]} pages
 * @param {boolean} isHere the last one is looked at now
 * @returns {HTMLElement[]} items of a list
 */
export function itemsOfTrail(pages, isHere) {
  const last = pages.length - 1;
  return pages.map((page, at) => {
    const long = isHere && at === last ? tell("now") : span(page.seconds * 1000);
    return h("li", null, h("time", null, clock(page.at)), linkOf(page), h("span", { class: "visit-long" }, long));
  });
}

/** @param {{url: string, title: string}} page */
export function linkOf({ url, title }) {
  const text = h("span", { dir: "auto" }, title || pathOf(url));
  const path = h("small", { dir: "ltr" }, pathOf(url));
  // A visitor's own words may say anything, an address of a script as well.
  if (!/^https?:\/\//.test(url)) return h("span", { class: "visit-link" }, text, path);
  return h("a", { class: "visit-link", href: url, target: "_blank", rel: "noopener noreferrer" }, text, path);
}

/** @param {string} url */
export function pathOf(url) {
  return url.replace(/^https?:\/\/[^/]*/, "") || "/";
}
