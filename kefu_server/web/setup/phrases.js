import { getLocale } from "../ui/i18n.js";

const en = {
  title: "Set kefu up",
  welcome: "This page makes the first admin and the first site. Then it is gone.",
  code: "Code",
  codeMore: "The server's terminal or log shows it, in the line with “setup”.",
  adminHead: "You, the first admin",
  login: "Login",
  name: "Name, as visitors read it",
  password: "Password",
  passwordMore: "At least 15 characters: four or five random words are good.",
  again: "The password again",
  differ: "The two passwords differ.",
  siteHead: "Your first site",
  siteName: "Name of the site",
  siteNameUsual: "Tea House",
  origins: "Where the chat will stand",
  originsMore: "Scheme and host of your pages, as browsers write them; one a line.",
  notOrigin: "{text} is not such an address; write for example https://shop.example.",
  locale: "Language of its visitors",
  make: "Set up",
  making: "One moment…",
  wrongCode: "This is not the code that the server shows.",
  later: "Too many tries. Wait {seconds} seconds, then try again.",
  gone: "Setting up is over: there is an admin. Log in to the console instead.",
  away: "The server cannot be reached. Try again.",
  doneHead: "kefu is ready",
  doneMore: "Put this line into every page of {site} that shall show the chat, before </body>:",
  copy: "Copy",
  copied: "Copied",
  console: "To the console",
  consoleMore: "Log in to the console as {login}.",
};

/** @type {typeof en} */
const zh = {
  title: "设置 kefu",
  welcome: "在这里创建第一个管理员和第一个站点。完成后，本页面不再存在。",
  code: "代码",
  codeMore: "见服务器的终端或日志中含“setup”的那一行。",
  adminHead: "您：第一个管理员",
  login: "登录名",
  name: "名字（访客可见）",
  password: "密码",
  passwordMore: "至少 15 个字符；用四五个随机的词就很好。",
  again: "再输入一次密码",
  differ: "两次输入的密码不一致。",
  siteHead: "您的第一个站点",
  siteName: "站点名称",
  siteNameUsual: "茶馆",
  origins: "聊天窗口放在哪里",
  originsMore: "网页的协议和域名，与浏览器中的写法一致，每行一个。",
  notOrigin: "{text} 不是这样的地址，请写成例如 https://shop.example。",
  locale: "访客的语言",
  make: "完成设置",
  making: "请稍候……",
  wrongCode: "与服务器显示的代码不符。",
  later: "尝试次数太多，请等 {seconds} 秒后再试。",
  gone: "设置已完成：已经有管理员了。请直接登录控制台。",
  away: "无法连接服务器，请再试一次。",
  doneHead: "kefu 已就绪",
  doneMore: "请把这一行放进 {site} 中需要聊天窗口的每个网页，位于 </body> 之前：",
  copy: "复制",
  copied: "已复制",
  console: "前往控制台",
  consoleMore: "以 {login} 登录控制台。",
};

/**
 * @param {keyof typeof en} phrase
 * @param {Record<string, string | number>} [values] put in place of `{name}`
 */
export function say(phrase, values = {}) {
  const text = (getLocale() === "en" ? en : zh)[phrase];
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
