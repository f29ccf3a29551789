/** @import {Desk} from "../desk.js" */
import { fill, h } from "../../ui/dom.js";
import { quiet } from "../settings/form.js";
import { speaker } from "../phrases.js";

/**
 * @typedef {object} Service since the server was started
 * @property {string} provider
 * @property {number} calls
 * @property {number} texts
 * @property {number} chars
 * @property {Record<string, number>} failures by trouble
 * @property {number} seconds
 * @property {number} seconds_max
 * @property {number} hits
 * @property {number} paused_s
 * @property {string} last_failure
 *
 * @typedef {object} Usage of a site's day
 * @property {string} name
 * @property {number} chars
 * @property {number} hits
 * @property {number} chars_per_day
 * @property {boolean} is_near
 * @property {boolean} is_spent
 *
 * @typedef {{services: Service[], sites: Usage[]}} Told
 */

/** What the figures say. */
export const PHRASES = {
  en: {
    title: "Services and use",
    more: "Services: this server, since it was started. Sites: all servers, today.",
    noServices: "This server has no services: nothing is translated. See the guide on how to name them.",
    service: "Service",
    state: "Now",
    calls: "Calls",
    chars: "Characters",
    time: "Seconds a call, most",
    failures: "Failures",
    known: "Known before",
    asked: "is asked",
    paused: "left alone for {seconds} s",
    site: "Site",
    used: "Used today",
    left: "Left today",
    unlimited: "any number",
    saved: "Texts without a service",
    near: "{site} has used most of the characters of its day.",
    spent: "{site} has used up the characters of its day: messages stay as they were written until tomorrow.",
    lastFailure: "{service}: {text}",
    again: "Look again",
    failed: "The figures cannot be had now.",
  },
  "zh-CN": {
    title: "翻译服务与用量",
    more: "服务：本服务器自启动以来。站点：所有服务器的今日合计。",
    noServices: "本服务器没有配置翻译服务，不会翻译任何内容。配置方法见使用指南。",
    service: "服务",
    state: "状态",
    calls: "请求数",
    chars: "字符数",
    time: "每次耗时、最长（秒）",
    failures: "失败",
    known: "缓存命中",
    asked: "正常使用",
    paused: "暂停 {seconds} 秒",
    site: "站点",
    used: "今日已用",
    left: "今日剩余",
    unlimited: "不限",
    saved: "无需请求的文字",
    near: "{site} 今日字符数即将用完。",
    spent: "{site} 今日字符数已用完，明天之前消息保持原文。",
    lastFailure: "{service}：{text}",
    again: "刷新",
    failed: "暂时无法取得用量数据。",
  },
};
const tell = speaker(PHRASES);

/** @param {Service} service */
export function cellsOf({ calls, chars, seconds, seconds_max, failures, hits, paused_s }) {
  const failed = Object.entries(failures).map(([trouble, count]) => `${trouble} ${count}`);
  const mean = calls ? (seconds / calls).toFixed(2) : "–";
  return [
    paused_s ? tell("paused", { seconds: Math.ceil(paused_s) }) : tell("asked"),
    String(calls),
    String(chars),
    calls ? `${mean}, ${seconds_max.toFixed(2)}` : "–",
    failed.join(", ") || "0",
    String(hits),
  ];
}

/** @param {Usage} usage */
export function leftOf({ chars, chars_per_day }) {
  return chars_per_day ? String(Math.max(0, chars_per_day - chars)) : tell("unlimited");
}

/** What services do on this server, and what sites have used of their day. */
export class Figures {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.isDue = false;
    this.body = h("div", { class: "card wide" });
    this.element = h("section", { "aria-label": tell("title") }, h("h2", null, tell("title")), h("p", { class: "more" }, tell("more")), this.body);
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
      const { services, sites } = await this.desk.chat.call("translation.figures", {});
      this.draw({ services, sites });
    } catch {
      fill(this.body, h("p", { class: "fault", role: "alert" }, tell("failed")), this.again());
    }
  }

  again() {
    return h("div", { class: "card-tools" }, quiet(tell("again"), () => void this.load()));
  }

  /** @param {Told} told */
  draw({ services, sites }) {
    const warnings = sites.filter((site) => site.is_near || site.is_spent).map((site) => h("p", { class: "fault", role: "status" }, tell(site.is_spent ? "spent" : "near", { site: site.name })));
    const failures = services.filter((service) => service.last_failure).map((service) => h("p", { class: "more" }, h("bdi", null, tell("lastFailure", { service: service.provider, text: service.last_failure }))));
    const asked = services.map((service) => ({ name: service.provider, cells: cellsOf(service) }));
    const used = sites.map((site) => ({ name: site.name, cells: [String(site.chars), leftOf(site), String(site.hits)] }));
    fill(
      this.body,
      ...warnings,
      services.length ? table([tell("service"), tell("state"), tell("calls"), tell("chars"), tell("time"), tell("failures"), tell("known")], asked) : h("p", null, tell("noServices")),
      ...failures,
      used.length > 0 && table([tell("site"), tell("used"), tell("left"), tell("saved")], used),
      this.again(),
    );
  }
}

/**
 * @param {string[]} heads
 * @param {{name: string, cells: string[]}[]} rows
 */
function table(heads, rows) {
  const lines = rows.map(({ name, cells }) => h("tr", null, h("th", { scope: "row" }, h("bdi", null, name)), ...cells.map((cell, at) => h("td", { "data-name": heads[at + 1] }, cell))));
  return h("table", { class: "table folding" }, h("thead", null, h("tr", null, ...heads.map((name) => h("th", { scope: "col" }, name)))), h("tbody", null, ...lines));
}
