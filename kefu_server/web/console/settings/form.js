import { h } from "../../ui/dom.js";

/**
 * A named input, with a sentence under it.
 * @param {string} text
 * @param {HTMLElement} input
 * @param {string} [more]
 */
export function field(text, input, more) {
  return h("label", { class: "field" }, text, input, more && h("small", null, more));
}

/**
 * A box to tick, named beside it.
 * @param {HTMLElement} input
 * @param {string} text
 * @param {string} [more]
 */
export function box(input, text, more) {
  return h("label", { class: "switch" }, input, h("span", null, h("b", null, text), more && h("small", null, more)));
}

/**
 * A quiet button.
 * @param {string} text
 * @param {() => void} act
 */
export function quiet(text, act) {
  return h("button", { type: "button", class: "plain small", onclick: act }, text);
}

/**
 * A button that does it only when pressed again, with what it asks meanwhile.
 * @param {string} text
 * @param {string} sure
 * @param {() => void} act
 */
export function twice(text, sure, act) {
  const button = quiet(text, () => {
    if (button.classList.contains("danger")) return act();
    button.classList.add("danger");
    button.replaceChildren(sure);
  });
  return button;
}
