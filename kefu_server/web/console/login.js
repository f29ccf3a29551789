/** @import {Me} from "./api.js" */
import { fill, h } from "../ui/dom.js";
import { codeInput, codesView, newPasswordInput, offerView } from "./account/parts.js";
import { tell } from "./account/phrases.js";
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
  const names = [h("label", null, h("span", null, say("loginName")), login), h("label", null, h("span", null, say("password")), password)];
  const code = codeInput();
  const next = newPasswordInput();
  const fault = h("p", { class: "fault", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, say("login"));
  const back = h("button", { type: "button", class: "plain", onclick: begin }, tell("back"));
  const body = h("div", { class: "login-body" });
  /** @type {"" | "code" | "password" | "factor"} what the password alone is not enough for */
  let step = "";

  function begin() {
    step = "";
    code.value = next.value = "";
    fill(fault);
    fill(body, ...names, fault, transportChoice(), button);
  }

  /**
   * Ask for what is needed as well; what was typed so far is kept by the page only.
   * @param {"code" | "password" | "factor"} needed
   * @param {import("./account/parts.js").Offer | null} offer
   */
  function proceed(needed, offer) {
    step = needed;
    const isNew = needed === "password";
    const text = isNew ? tell("mustChange") : needed === "factor" ? tell("mustSetUp") : "";
    const input = isNew ? next : code;
    const label = h("label", null, h("span", null, tell(isNew ? "newPassword" : "code")), input, h("small", null, tell(isNew ? "newPasswordMore" : "codeMore")));
    fill(body, text && h("p", { class: "more" }, text), offer && offerView(offer), label, fault, button, back);
    input.focus();
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(fault);
    try {
      const answer = await logIn({ login: login.value.trim(), password: password.value, code: code.value, new_password: next.value });
      if ("fault" in answer) {
        fill(fault, answer.fault === "weak" ? tell("weak") : answer.fault === "later" ? say("loginLater") : step === "code" || step === "factor" ? tell("codeWrong") : say("loginFailed"));
        (step === "password" ? next : step ? code : password).select();
      } else if ("needs" in answer) {
        proceed(answer.needs, answer.offer);
      } else if (answer.codes) {
        fill(body, codesView(answer.codes, () => entered(answer.me)));
      } else {
        entered(answer.me);
      }
    } catch {
      fill(fault, say("serverAway"));
    } finally {
      button.disabled = false;
    }
  }

  begin();
  return h(
    "main",
    { class: "login" },
    h("form", { onsubmit: submit }, brand(), h("h1", null, say("loginTitle")), body, h("div", { class: "login-foot" }, language)),
  );
}
