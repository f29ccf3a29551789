/** @import {Choice} from "../client/transports.js" */
/** @import {Values} from "../ui/i18n.js" */
import { filled, getLocale } from "../ui/i18n.js";

/** What only agents read: the widget is not to carry it. */
export const PHRASES = {
  en: {
    login: "Log in",
    loginFailed: "The name or the password is not right.",
    loginLater: "Too many attempts. Try again in a while.",
    loginName: "Login",
    loginTitle: "Agent console",
    logout: "Log out",
    password: "Password",
    emptyAll: "No conversations yet. They appear here by themselves.",
    emptyMine: "Nothing assigned to you. Take one from the queue.",
    emptyQueue: "Nobody is waiting.",
    noSelection: "Pick a conversation",
    noSelectionMore: "Alt+J and Alt+K go through the list.",
    notReceivingTitle: "NOT RECEIVING",
    takenBy: "Answered by",
    serverAway: "The server cannot be reached. Try again.",
    choice: "Connection",
    auto: "Automatic",
    websocket: "WebSocket",
    longpoll: "Plain HTTP",
    autoMore: "WebSocket where it works, plain HTTP everywhere else.",
    websocketMore: "Only WebSocket: the quickest, but some networks block it.",
    longpollMore: "Only HTTP requests, for networks that block WebSocket.",
    inUse: "In use: ",
    none: "Not connected",
    details: "Connection details",
    labelled: "Labels: {labels}",
    takenByOther: "{name} took this conversation",
    notReceiving: "You are NOT receiving messages. Connecting again…",
    opened: "Opened",
    historyPage: "History",
    offlinePage: "Offline",
    visitorsPage: "Visitors",
    chatPage: "Chats",
    reopen: "Open again",
    hand: "Hand over",
    handTo: "To",
    handQueue: "Back to the queue",
    handNote: "A note for whoever takes over",
    handNoteMore: "The visitor does not see it.",
    handFailed: "This did not work. Is the agent still there?",
    noRoomThere: "This did not work: the agent has as many conversations as it may, or the conversation is closed.",
    toAgents: "Agents",
    toTeams: "Teams",
    handedToTeam: "In the queue of {name}",
    givenByRule: "Assigned to {name} by the routing",
    takenBack: "Back in the queue: the agent went offline",
    aTeam: "a team",
    toTeam: "Team",
    takeFull: "You already answer as many conversations as you may.",
    cannedPage: "Replies",
    keyCanned: "Canned replies",
    keyEdit: "In an empty field: edit your last message",
    keyPreview: "See how the visitor will read the draft",
    keyNote: "Write a note instead of a reply, or back",
    kinds: "What you write",
    replyKind: "Reply",
    noteKind: "Note",
    noteTag: "Note",
    addNote: "Add the note",
    composerNote: "A note for colleagues, hidden from the visitor…",
    reportsPage: "Reports",
    operationsPage: "System",
    settingsPage: "Settings",
    close: "Close",
    keys: "Keys",
    keyMove: "Next conversation, or the one before",
    keySend: "Send",
    keyLine: "A new line",
    keyHit: "In the history: next hit, or the one before",
    keyLeave: "Leave the conversation",
    keyHelp: "This sheet",
    pageFailed: "This page cannot be loaded. Try again.",
    newConversation: "New conversation: {name}",
    newMessages: "{count} new messages",
    add: "Add",
    addLabel: "Add a label…",
    labelFailed: "This was not stored. Try again.",
    labels: "Labels",
    removeLabel: "Remove {label}",
    pages: "Pages",
  },
  "zh-CN": {
    login: "登录",
    loginFailed: "账号或密码不正确。",
    loginLater: "尝试次数过多，请稍后再试。",
    loginName: "账号",
    loginTitle: "客服工作台",
    logout: "退出登录",
    password: "密码",
    emptyAll: "还没有会话，新会话会自动出现在这里。",
    emptyMine: "您还没有接待中的会话，请从排队中接待。",
    emptyQueue: "当前没有人排队。",
    noSelection: "请选择一个会话",
    noSelectionMore: "按 Alt+J、Alt+K 可在列表中切换。",
    notReceivingTitle: "收不到消息",
    takenBy: "接待客服",
    serverAway: "无法连接服务器，请重试。",
    choice: "连接方式",
    auto: "自动",
    websocket: "WebSocket",
    longpoll: "纯 HTTP 轮询",
    autoMore: "优先使用 WebSocket，不通时自动改用纯 HTTP 轮询。",
    websocketMore: "只用 WebSocket：最快，但有些网络会拦截。",
    longpollMore: "只用普通 HTTP 请求，适合拦截 WebSocket 的网络。",
    inUse: "当前使用：",
    none: "未连接",
    details: "连接详情",
    labelled: "标签：{labels}",
    takenByOther: "已由{name}接待",
    notReceiving: "您现在收不到消息！正在重新连接…",
    opened: "开始时间",
    historyPage: "历史记录",
    offlinePage: "留言",
    visitorsPage: "访客",
    chatPage: "会话",
    reopen: "重新打开",
    hand: "转接",
    handTo: "转给",
    handQueue: "退回排队",
    handNote: "给接手者的备注",
    handNoteMore: "访客看不到。",
    handFailed: "转接失败。对方还在吗？",
    noRoomThere: "转接失败：对方已达接待上限，或会话已结束。",
    toAgents: "客服",
    toTeams: "技能组",
    handedToTeam: "已转到{name}排队",
    givenByRule: "已自动分配给{name}",
    takenBack: "客服已离线，会话退回排队",
    aTeam: "技能组",
    toTeam: "技能组",
    takeFull: "您已达到同时接待上限。",
    cannedPage: "快捷回复",
    keyCanned: "快捷回复",
    keyEdit: "输入框为空时：编辑上一条消息",
    keyPreview: "预览草稿的译文",
    keyNote: "在回复与内部备注之间切换",
    kinds: "写什么",
    replyKind: "回复",
    noteKind: "备注",
    noteTag: "内部备注",
    addNote: "添加备注",
    composerNote: "写给同事的备注，访客看不到…",
    reportsPage: "报表",
    operationsPage: "运行状况",
    settingsPage: "设置",
    close: "关闭",
    keys: "快捷键",
    keyMove: "下一个或上一个会话",
    keySend: "发送",
    keyLine: "换行",
    keyHit: "历史记录中：下一处或上一处匹配",
    keyLeave: "离开会话",
    keyHelp: "显示本说明",
    pageFailed: "无法打开这个页面，请重试。",
    newConversation: "新会话：{name}",
    newMessages: "{count} 条新消息",
    add: "添加",
    addLabel: "添加标签…",
    labelFailed: "未能保存，请重试。",
    labels: "标签",
    removeLabel: "移除{label}",
    pages: "页面",
  },
};

const CHOICE = "kefu.console.transport";

/** @type {readonly Choice[]} */
export const CHOICES = ["auto", "websocket", "longpoll"];

export const say = speaker(PHRASES);

/**
 * @template {Record<string, string>} P
 * @param {{en: P, "zh-CN": P}} phrases
 * @returns {(phrase: keyof P & string, values?: Values) => string} says a phrase in the
 *   language that is chosen now
 */
export function speaker(phrases) {
  return (phrase, values = {}) => filled(phrases[getLocale() === "en" ? "en" : "zh-CN"][phrase], values);
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
