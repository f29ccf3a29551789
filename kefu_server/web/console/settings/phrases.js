import { speaker } from "../phrases.js";

/** What the settings say. */
export const PHRASES = {
  en: {
    settings: "Settings",
    absence: "When nobody is there",
    webhooks: "Webhooks",
    notices: "Notices",
    noticesMore: "How this browser tells you of messages while you look elsewhere.",
    sound: "Sounds",
    soundMore: "One tone for a message, another for a new conversation.",
    tryMessage: "Hear a message",
    tryConversation: "Hear a new conversation",
    desktop: "Notices on the desktop",
    desktopMore: "Shown while the console is out of sight.",
    desktopDenied: "This browser refuses notices of this page. Allow them in its settings.",
    desktopMissing: "This browser has no notices.",
    failed: "The server cannot be reached. Try again.",
  },
  "zh-CN": {
    settings: "设置",
    absence: "无人在线时",
    webhooks: "Webhook",
    notices: "提醒",
    noticesMore: "您在看别处时，这个浏览器怎样提醒您有新消息。",
    sound: "声音",
    soundMore: "新消息与新会话的声音不同。",
    tryMessage: "试听新消息",
    tryConversation: "试听新会话",
    desktop: "桌面通知",
    desktopMore: "看不见客服台时显示。",
    desktopDenied: "浏览器拒绝了本页的通知，请在浏览器设置中允许。",
    desktopMissing: "这个浏览器没有通知功能。",
    failed: "无法连接服务器，请重试。",
  },
};

export const tell = speaker(PHRASES);
