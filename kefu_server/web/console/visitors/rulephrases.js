import { speaker } from "../phrases.js";

/** What the settings of visits and invitations say. */
const PHRASES = {
  en: {
    more: "Whether pages report who is on them, and whom the widget asks into the chat by itself.",
    isOn: "Show who is on the site",
    isOnMore: "Pages report address, title and source. Nothing is stored, and there is no cookie.",
    onlyStaffed: "Invite by rules only while somebody is there",
    rulesMore: "The first rule that applies invites, once in a visit. Who has declined, who is in a chat and who does not look at the page is left alone.",
    add: "Add a rule",
    rule: "Rule",
    name: "Name, for agents",
    url: "Pages",
    urlMore: "Such as /cart or /tea/*; * stands for anything. Empty: every page.",
    after: "Seconds on this page",
    pages: "Pages of this visit, at least",
    returning: "Only who was here before",
    text: "What the invitation says",
    textEmpty: "Hello! Can we help you?",
    ruleOn: "In use",
    earlier: "Look at it earlier",
    remove: "Remove",
  },
  "zh-CN": {
    more: "页面是否上报正在浏览的访客，以及聊天窗口会主动邀请谁。",
    isOn: "显示正在网站上的访客",
    isOnMore: "页面会上报地址、标题和来源。不存数据库，也不用 Cookie。",
    onlyStaffed: "仅在有人接待时按规则邀请",
    rulesMore: "按顺序检查，第一条符合的规则发出邀请，每次来访最多一次。谢绝过的、会话中的、没在看页面的访客不会被打扰。",
    add: "添加规则",
    rule: "规则",
    name: "名称（客服可见）",
    url: "页面",
    urlMore: "例如 /cart 或 /tea/*；* 代表任意内容。留空表示所有页面。",
    after: "在此页停留秒数",
    pages: "本次来访至少看过的页数",
    returning: "仅限回访的访客",
    text: "邀请的内容",
    textEmpty: "您好，需要帮忙吗？",
    ruleOn: "启用",
    earlier: "提前检查",
    remove: "删除",
  },
};

export const tell = speaker(PHRASES);
