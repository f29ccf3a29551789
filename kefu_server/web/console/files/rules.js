/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { Refusal } from "../../client/chat.js";
import { box, field } from "../settings/form.js";
import { speaker } from "../phrases.js";

const MIB = 1_048_576;
const MIB_MAX = 100;
const DAY_MIB_MAX = 1_048_576;
/** What the section says. */
const PHRASES = {
  en: {
    more: "What may be sent in the chats of each site. Programs are refused always, and only pictures are shown; everything else is downloaded.",
    visitorsMay: "Visitors may send files",
    visitorMax: "Largest file of a visitor, in MB",
    agentMax: "Largest file of an agent, in MB",
    visitorDay: "All files of one visitor in 24 hours, in MB",
    siteDay: "All files of the site in 24 hours, in MB",
    siteDayMore: "Beyond it visitors wait; agents may go on.",
    endings: "Only these endings",
    endingsMore: "Such as: jpg, png, pdf. Empty: all but programs.",
    save: "Save",
    saved: "Saved",
    wrong: "Endings have up to 10 letters a–z and digits.",
    failed: "The server cannot be reached. Try again.",
  },
  "zh-CN": {
    more: "各站点的会话中可以发送哪些文件。程序文件一律拒绝；只有图片会直接显示，其他文件需要下载。",
    visitorsMay: "允许访客发送文件",
    visitorMax: "访客单个文件上限（MB）",
    agentMax: "客服单个文件上限（MB）",
    visitorDay: "每位访客 24 小时内的文件总量上限（MB）",
    siteDay: "整个站点 24 小时内的文件总量上限（MB）",
    siteDayMore: "超出后访客需等待，客服仍可发送。",
    endings: "仅允许以下扩展名",
    endingsMore: "例如：jpg, png, pdf。留空则允许除程序外的所有文件。",
    save: "保存",
    saved: "已保存",
    wrong: "扩展名由最多 10 个英文字母或数字组成。",
    failed: "无法连接服务器，请重试。",
  },
};
const tell = speaker(PHRASES);

/** @param {Desk} desk */
export function make(desk) {
  return new FilesSection(desk);
}

/** Which files each site lets through. */
class FilesSection {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.isDue = false;
    this.body = h("div", null);
    this.element = h("section", null, h("p", { class: "more" }, tell("more")), this.body);
  }

  enter() {
    this.isDue = true;
    this.show();
  }

  show() {
    if (!this.isDue || !this.desk.chat.isLive) return;
    this.isDue = false;
    void this.load();
  }

  async load() {
    try {
      const { sites } = await this.desk.chat.call("sites.list", {});
      fill(this.body, ...sites.map((/** @type {any} */ site) => this.card(site)));
    } catch {
      fill(this.body, h("p", { class: "fault", role: "alert" }, tell("failed")));
    }
  }

  /** @param {{id: number, name: string, settings: {files: {visitors_may: boolean, visitor_bytes_max: number, agent_bytes_max: number, visitor_day_bytes_max: number, site_day_bytes_max: number, endings: string[]}}}} site */
  card({ id, name, settings: { files } }) {
    const may = h("input", { type: "checkbox", checked: files.visitors_may });
    const size = (/** @type {number} */ bytes, max = MIB_MAX) => h("input", { type: "number", required: true, min: "0.1", max: String(max), step: "0.1", value: String(Math.round((bytes / MIB) * 10) / 10) });
    const visitors = size(files.visitor_bytes_max);
    const agents = size(files.agent_bytes_max);
    const visitorDay = size(files.visitor_day_bytes_max, DAY_MIB_MAX);
    const siteDay = size(files.site_day_bytes_max, DAY_MIB_MAX);
    const endings = h("input", { type: "text", value: files.endings.join(", "), autocomplete: "off", spellcheck: false });
    const fault = h("p", { class: "fault", role: "alert" });
    const saved = h("span", { role: "status" });
    const save = async (/** @type {Event} */ event) => {
      event.preventDefault();
      fill(fault);
      fill(saved);
      const changed = {
        visitors_may: may.checked,
        visitor_bytes_max: Math.round(Number(visitors.value) * MIB),
        agent_bytes_max: Math.round(Number(agents.value) * MIB),
        visitor_day_bytes_max: Math.round(Number(visitorDay.value) * MIB),
        site_day_bytes_max: Math.round(Number(siteDay.value) * MIB),
        endings: endingsIn(endings.value),
      };
      try {
        await this.desk.chat.call("site.put", { site: id, settings: { files: changed } });
        endings.value = changed.endings.join(", ");
        fill(saved, tell("saved"));
      } catch (error) {
        fill(fault, tell(error instanceof Refusal && error.code === "bad_request" ? "wrong" : "failed"));
      }
    };
    return h(
      "form",
      { class: "card", onsubmit: save, "aria-label": name },
      h("h2", null, h("bdi", null, name)),
      box(may, tell("visitorsMay")),
      field(tell("visitorMax"), visitors),
      field(tell("agentMax"), agents),
      field(tell("visitorDay"), visitorDay),
      field(tell("siteDay"), siteDay, tell("siteDayMore")),
      field(tell("endings"), endings, tell("endingsMore")),
      fault,
      h("div", { class: "card-tools" }, h("button", { class: "primary" }, tell("save")), saved),
    );
  }
}

/**
 * @param {string} text
 * @returns {string[]} in small letters, without points, each once
 */
function endingsIn(text) {
  const parts = text.toLowerCase().split(/[\s,;，、；]+/);
  return [...new Set(parts.map((part) => part.replace(/^\*?\./, "")).filter(Boolean))];
}
