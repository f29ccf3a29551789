import { filled, getLocale } from "./i18n.js";

/** What is said about files. */
const WORDS = {
  en: {
    attach: "Send a file",
    cancel: "Cancel",
    retry: "Try again",
    drop: "Drop to send",
    failed: "Not sent: the connection broke",
    tooLarge: "Too large: at most {size}",
    tooLargeHere: "Too large",
    notAllowed: "This kind of file may not be sent",
    tooMany: "The limit for files is reached; try again {when}",
    empty: "The file is empty",
    waiting: "Waiting",
    download: "Download {name}",
    gone: "This file cannot be loaded now",
    files: "Files being sent",
    later: "later",
    follows: "Your message follows the file",
  },
  "zh-CN": {
    attach: "发送文件",
    cancel: "取消",
    retry: "重试",
    drop: "松开即可发送",
    failed: "发送失败：网络中断",
    tooLarge: "文件过大，最大 {size}",
    tooLargeHere: "文件过大",
    notAllowed: "不支持发送此类文件",
    tooMany: "文件发送已达上限，请{when}再试",
    empty: "文件是空的",
    waiting: "等待发送",
    download: "下载 {name}",
    gone: "暂时无法加载该文件",
    files: "正在发送的文件",
    later: "稍后",
    follows: "文件发送完成后，消息会随即发出",
  },
};

/**
 * @param {keyof typeof WORDS.en} word
 * @param {import("./i18n.js").Values} [values]
 */
export function word(word, values = {}) {
  return filled(WORDS[getLocale() === "en" ? "en" : "zh-CN"][word], values);
}

/**
 * @param {number} seconds
 * @returns {string} such as: in 5 minutes; of what is not known: later
 */
export function whenText(seconds) {
  const minutes = Math.ceil(seconds / 60);
  if (!(minutes > 0)) return word("later");
  const names = new Intl.RelativeTimeFormat(getLocale());
  return minutes < 100 ? names.format(minutes, "minute") : names.format(Math.ceil(minutes / 60), "hour");
}

/** @param {number} bytes */
export function sizeText(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

/**
 * @param {string} [text] a refusal
 * @returns {number} seconds until it may be tried again; 0: it does not say
 */
export function secondsIn(text = "") {
  try {
    return JSON.parse(text).error.retry_after_s ?? 0;
  } catch {
    return 0;
  }
}
