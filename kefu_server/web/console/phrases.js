/** @import {Choice} from "../client/transports.js" */
import { getLocale } from "../ui/i18n.js";

/** What only agents read of transports; the widget is not to carry it. */
export const PHRASES = {
  en: {
    choice: "Connection",
    auto: "Automatic",
    websocket: "WebSocket",
    longpoll: "Plain HTTP",
    autoMore: "WebSocket where it works, plain HTTP everywhere else.",
    websocketMore: "Only WebSocket: the quickest, but some networks block it.",
    longpollMore: "Only HTTP requests (long polling): passes every network.",
    inUse: "In use: ",
    none: "Not connected",
    details: "Connection details",
  },
  "zh-CN": {
    choice: "连接方式",
    auto: "自动",
    websocket: "WebSocket",
    longpoll: "纯 HTTP 轮询",
    autoMore: "优先使用 WebSocket，不通时自动改用纯 HTTP 轮询。",
    websocketMore: "只用 WebSocket：最快，但有些网络会拦截。",
    longpollMore: "只用普通 HTTP 请求（长轮询）：任何网络都能通过。",
    inUse: "当前使用：",
    none: "未连接",
    details: "连接详情",
  },
};

const CHOICE = "kefu.console.transport";

/** @type {readonly Choice[]} */
export const CHOICES = ["auto", "websocket", "longpoll"];

/** @param {keyof typeof PHRASES.en} phrase */
export function say(phrase) {
  return PHRASES[getLocale() === "en" ? "en" : "zh-CN"][phrase];
}

/** @type {Choice | null} */
let chosen = null;

/** @returns {Choice} how the agent wants to be connected */
export function choice() {
  try {
    const kept = chosen ?? localStorage.getItem(CHOICE);
    return CHOICES.find((known) => known === kept) ?? "auto";
  } catch {
    return "auto";
  }
}

/** @param {Choice} wanted */
export function choose(wanted) {
  chosen = wanted;
  try {
    localStorage.setItem(CHOICE, wanted);
  } catch {
    // The choice then lasts until the reload.
  }
}
