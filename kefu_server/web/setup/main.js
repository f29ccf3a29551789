import { fill, h } from "../ui/dom.js";
import { getLocale, setLocale } from "../ui/i18n.js";
import { say } from "./phrases.js";

const PASSWORD_CHARS_MIN = 15;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
/** @type {Record<string, string>} what was typed, kept when the language changes */
const typed = { locale: "zh-CN" };
/** @type {{line: string, login: string, site: string} | null} */
let done = null;

/** @typedef {{status: number, text: string, wait: number, line: string}} Answer */

/**
 * @param {string} name
 * @param {string} label
 * @param {Record<string, any>} props
 * @param {string} [more]
 */
function field(name, label, props, more) {
  const { tag = "input", ...rest } = props;
  const input = /** @type {HTMLInputElement} */ (
    h(tag, { name, required: true, value: typed[name] ?? "", ...rest, oninput: () => (typed[name] = input.value) })
  );
  return h("label", null, h("span", null, label), input, more && h("small", null, more));
}

/** @param {string} name */
function value(name) {
  return (typed[name] ?? "").trim();
}

/** @returns {string[]} */
function origins() {
  return value("origins").split(/\s+/).filter(Boolean);
}

/** @returns {string} what is wrong with what was typed; empty: nothing */
function mistake() {
  if (typed.password !== typed.again) return say("differ");
  for (const text of origins()) {
    let origin = "";
    try {
      origin = new URL(text).origin;
    } catch {
      // It stays empty, and so is not the same.
    }
    if (origin !== text) return say("notOrigin", { text });
  }
  return "";
}

/** @returns {Promise<Answer>} */
async function send() {
  const response = await fetch("/api/setup", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      code: value("code"),
      admin: { login: value("login"), name: value("name"), password: typed.password ?? "" },
      site: { name: value("site"), origins: origins(), locale: value("locale") },
    }),
  });
  const told = await response.json();
  const { text = "", retry_after_s: wait = 0 } = told.error ?? {};
  return { status: response.status, text, wait: Math.ceil(wait), line: told.embed ?? "" };
}

/** @param {Answer} answer */
function refusal({ status, text, wait }) {
  if (status === 401) return say("wrongCode");
  if (status === 404) return say("gone");
  if (status === 429) return say("later", { seconds: wait });
  return text;
}

function form() {
  const fault = h("p", { class: "fault", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, say("make"));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    fill(fault, mistake());
    if (fault.textContent) return;
    button.disabled = true;
    fill(button, say("making"));
    try {
      const answer = await send();
      if (answer.status === 200) {
        done = { line: answer.line, login: value("login"), site: value("site") };
        show();
      } else fill(fault, refusal(answer));
    } catch {
      fill(fault, say("away"));
    } finally {
      button.disabled = false;
      fill(button, say("make"));
    }
  }

  const plain = { autocapitalize: "none", spellcheck: false };
  const locale = h("select", { name: "locale", onchange: () => (typed.locale = locale.value) },
    h("option", { value: "zh-CN" }, "简体中文"), h("option", { value: "en" }, "English"));
  locale.value = typed.locale;
  const secret = { type: "password", autocomplete: "new-password", minLength: PASSWORD_CHARS_MIN, maxLength: 128 };
  return h("form", { class: "setup-card", onsubmit: submit },
    top(),
    h("h1", null, say("title")),
    h("p", null, say("welcome")),
    h("div", { class: "setup-code" }, field("code", say("code"), { ...plain, autocomplete: "off", placeholder: "XXXX-XXXX-XXXX" }, say("codeMore"))),
    h("fieldset", null,
      h("legend", null, say("adminHead")),
      h("div", { class: "setup-two" },
        field("login", say("login"), { ...plain, autocomplete: "username", maxLength: 100 }),
        field("name", say("name"), { autocomplete: "name", maxLength: 100 })),
      h("div", { class: "setup-two" }, field("password", say("password"), secret), field("again", say("again"), secret)),
      h("small", null, say("passwordMore"))),
    h("fieldset", null,
      h("legend", null, say("siteHead")),
      field("site", say("siteName"), { autocomplete: "off", maxLength: 100, placeholder: say("siteNameUsual") }),
      field("origins", say("origins"), { tag: "textarea", rows: 2, ...plain, placeholder: "https://shop.example" }, say("originsMore")),
      h("label", null, h("span", null, say("locale")), locale)),
    fault,
    button);
}

/** @param {{line: string, login: string, site: string}} made */
function result({ line, login, site }) {
  const copy = h("button", {
    type: "button",
    class: "plain",
    onclick: async () => {
      await navigator.clipboard.writeText(line);
      fill(copy, say("copied"));
    },
  }, say("copy"));
  return h("div", { class: "setup-card", role: "status" },
    top(),
    h("h1", null, say("doneHead")),
    h("div", { class: "setup-done" },
      h("p", null, say("doneMore", { site })),
      h("pre", { class: "setup-line" }, line),
      // Only over https, or on this machine, may a page write to the clipboard.
      navigator.clipboard && copy,
      h("p", null, say("consoleMore", { login })),
      h("a", { class: "primary", href: "/console" }, say("console"))));
}

function top() {
  const other = getLocale() === "en" ? "zh-CN" : "en";
  const language = h("button", {
    type: "button",
    class: "plain",
    lang: other,
    onclick: async () => {
      await setLocale(other);
      show();
    },
  }, other === "en" ? "English" : "简体中文");
  return h("div", { class: "setup-top" },
    h("div", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }, "k"), "kefu"), language);
}

function show() {
  document.title = `${say("title")} · kefu`;
  fill(app, h("main", { class: "setup" }, done ? result(done) : form()));
}

await setLocale(navigator.language);
typed.locale = getLocale();
show();
