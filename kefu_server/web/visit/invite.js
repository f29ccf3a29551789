/** @import {Invitation} from "./reporter.js" */
import { fill, h } from "../ui/dom.js";
import { setAccent } from "../widget/host.js";
import { Kept } from "./reporter.js";

const PHRASES = {
  en: { text: "Hello! Can we help you?", yes: "Chat", no: "No, thanks", title: "Invitation to chat" },
  zh: { text: "您好，需要帮忙吗？", yes: "开始聊天", no: "不用了", title: "聊天邀请" },
};

/** What asks a visitor into the chat, once: a bubble above the launcher. */
export class Bubble {
  /**
   * @param {object} parts
   * @param {string} parts.locale
   * @param {string | null} parts.color
   * @param {string} parts.site
   * @param {string} parts.siteName
   * @param {(message: Record<string, unknown>) => void} parts.post to the page around
   * @param {(id: number, state: "shown" | "accepted" | "refused") => void} parts.answered
   */
  constructor({ locale, color, site, siteName, post, answered }) {
    this.isChinese = /^zh/i.test(locale);
    this.words = this.isChinese ? PHRASES.zh : PHRASES.en;
    this.siteName = siteName;
    this.post = post;
    this.answered = answered;
    /** @type {Invitation | null} */
    this.invitation = null;
    this.answeredTo = 0;
    /** What the chat's frame shows when it opens the conversation. */
    this.word = new Kept(`kefu.word.${site}`);
    document.documentElement.lang = this.isChinese ? "zh-CN" : "en";
    setAccent(color);
    this.styled = new Promise((resolve) => {
      const href = new URL("./invite.css", import.meta.url).href;
      document.head.append(h("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve }));
    });
  }

  /** @param {Invitation} invitation */
  async show(invitation) {
    if (this.answeredTo === invitation.id) return;
    this.word.keep(invitation.token ?? "");
    if (this.invitation?.id === invitation.id) return;
    this.invitation = invitation;
    await this.styled;
    const { words } = this;
    const name = invitation.name || this.siteName;
    const box = h(
      "section",
      { class: "invitation", "aria-label": words.title, onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.refused() },
      h("p", { class: "invitation-name" }, h("bdi", null, name)),
      h("p", { class: "invitation-text", role: "status", dir: "auto" }, invitation.text || words.text),
      h("div", { class: "invitation-tools" }, h("button", { type: "button", class: "yes", onclick: () => this.accept() }, words.yes), h("button", { type: "button", class: "no", onclick: () => this.refused() }, words.no)),
    );
    fill(/** @type {Element} */ (document.getElementById("app")), box);
    // The frame has no size yet: once it is wide, it gets the height of what is in it.
    this.post({ type: "kefu:invite", height: 1, title: words.title });
    new ResizeObserver((_, observer) => {
      if (this.invitation !== invitation) observer.disconnect();
      else if (box.offsetWidth) this.post({ type: "kefu:invite", height: box.offsetHeight, title: words.title });
    }).observe(box);
    this.answered(invitation.id, "shown");
  }

  accept() {
    this.accepted();
    this.post({ type: "kefu:invite-accept" });
  }

  /** The chat was opened, by this button or by another. */
  accepted() {
    this.end("accepted");
  }

  refused() {
    this.end("refused");
  }

  /** @param {"accepted" | "refused"} state */
  end(state) {
    if (!this.invitation) return;
    this.answeredTo = this.invitation.id;
    if (state === "refused") this.word.keep("");
    this.answered(this.invitation.id, state);
    this.hide();
  }

  hide() {
    if (!this.invitation) return;
    this.invitation = null;
    fill(/** @type {Element} */ (document.getElementById("app")));
    this.post({ type: "kefu:invite", height: 0, title: "" });
  }
}
