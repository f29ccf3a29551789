/** @import {Model} from "./model.js" */
/** @import {PageMessage} from "../client/frames" */
import { fill, h } from "../ui/dom.js";
import { getLocale, t } from "../ui/i18n.js";
import { stamp } from "../ui/time.js";

// Both languages, because most visitors have one conversation.
const EN = { title: "Earlier conversations", more: "Show more", failed: "That could not be loaded. Please try again." };
const ZH = { title: "以往的会话", more: "显示更多", failed: "未能加载，请重试。" };
const SHOWN = ["text", "file", "auto", "erased"];

/** What a visitor has said besides the conversation that goes on: to be read. */
export class Earlier {
  /** @param {{model: Model, room: HTMLElement, nameOf: (sender: string) => string}} parts */
  constructor({ model, room, nameOf }) {
    this.say = getLocale() === "en" ? EN : ZH;
    this.model = model;
    this.nameOf = nameOf;
    this.mark = "";
    this.list = h("div", { class: "earlier-list", tabIndex: 0, role: "group", "aria-label": this.say.title });
    this.element = h("details", { class: "earlier", hidden: true, ontoggle: () => this.fold() }, h("summary", null, this.say.title), this.list);
    room.prepend(this.element);
  }

  show() {
    const { heads, conversation } = this.model;
    const others = Object.keys(heads).map(Number).filter((id) => id !== conversation && heads[id] > 0);
    const mark = others.join();
    if (mark === this.mark) return;
    this.mark = mark;
    this.element.hidden = !others.length;
    // Those that were begun last come first.
    fill(this.list, ...others.sort((a, b) => b - a).map((id) => this.part(id)));
    this.fold();
  }

  /** Load what is unfolded; each time anew, for another device may have written there. */
  fold() {
    if (!this.element.open) return;
    for (const part of this.list.children) part.dispatchEvent(new Event("shown"));
  }

  /** @param {number} conversation @returns {HTMLElement} its newest lines, once they are asked for */
  part(conversation) {
    const lines = h("ol");
    const fault = h("p", { class: "fault", role: "alert" });
    const more = h("button", { type: "button", class: "link", hidden: true, onclick: () => void load() }, this.say.more);
    let first = 0;
    let isLoading = false;
    const load = async () => {
      if (isLoading) return;
      isLoading = true;
      fill(fault);
      try {
        const page = await this.model.chat.call("messages.list", { conversation, limit: 50, ...(first && { before: first }) });
        const messages = /** @type {PageMessage[]} */ (page.messages).filter((m) => SHOWN.includes(m.kind));
        await Promise.all([...new Set(messages.map((m) => m.sender))].map((sender) => this.model.named(sender)));
        if (!first) fill(lines);
        lines.prepend(...messages.map((m) => this.line(m)));
        first = page.messages[0]?.seq ?? first;
        more.hidden = !page.more;
      } catch {
        fill(fault, this.say.failed);
        more.hidden = false;
      }
      isLoading = false;
    };
    const part = h("section", null, more, lines, fault);
    part.addEventListener("shown", () => ((first = 0), void load()));
    return part;
  }

  /** @param {PageMessage} message */
  line({ sender, kind, body, at }) {
    const name = this.nameOf(sender);
    return h("li", null, h("span", { class: "earlier-who" }, h("bdi", null, name), " · ", stamp(at, Date.now())), h("div", { dir: "auto" }, kind === "erased" ? t("erased") : body));
  }
}
