/** @import {Me} from "./api.js" */
import { fill, h } from "../ui/dom.js";
import { logIn } from "./api.js";
import { say } from "./phrases.js";
import { brand } from "./top.js";
import { transportChoice } from "./transport.js";

/**
 * @param {(me: Me) => void} entered
 * @param {HTMLElement} language the switch of languages
 * @returns {HTMLElement}
 */
export function loginForm(entered, language) {
  const login = h("input", { name: "username", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: false });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const fault = h("p", { class: "fault", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, say("login"));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(fault);
    try {
      const answer = await logIn(login.value.trim(), password.value);
      if (answer === "wrong" || answer === "later") {
        fill(fault, say(answer === "wrong" ? "loginFailed" : "loginLater"));
        password.select();
      } else {
        entered(answer);
      }
    } catch {
      fill(fault, say("serverAway"));
    } finally {
      button.disabled = false;
    }
  }

  return h(
    "main",
    { class: "login" },
    h(
      "form",
      { onsubmit: submit },
      brand(),
      h("h1", null, say("loginTitle")),
      h("label", null, h("span", null, say("loginName")), login),
      h("label", null, h("span", null, say("password")), password),
      fault,
      transportChoice(),
      button,
      h("div", { class: "login-foot" }, language),
    ),
  );
}
