import { fill, h, icon, Later, Store } from "../ui/dom.js";
import { Composer } from "../ui/composer.js";
import { getLocale, nearest, setLocale, t } from "../ui/i18n.js";
import { itemsOf, starsOf } from "../ui/items.js";
import { LogView } from "../ui/logview.js";
import { Host, setAccent } from "./host.js";
import { Model } from "./model.js";
import { keepDraft, keepTogether, VisitorToken } from "./visitor.js";

const page = document.body.dataset;
const settings = new URLSearchParams(location.hash.slice(1));
await setLocale(nearest(settings.get("locale") ?? page.locale ?? navigator.language));
setAccent(settings.get("color"));

const screen = new Store({ isShown: window.parent === window });
const visitor = new VisitorToken(page.site ?? "");
const host = new Host({
  origin: settings.get("origin") ?? "",
  allowed: (page.origins ?? "").split(" "),
  shown: (isShown) => {
    screen.set({ isShown });
    if (isShown) composer.focus();
  },
  spoken: (locale) => {
    if (nearest(locale) === getLocale()) return;
    settings.set("locale", locale);
    history.replaceState(null, "", `#${settings}`);
    location.reload();
  },
  // What tells who somebody is, is loaded by pages that say so.
  described: async (said) => {
    about ??= import("./about.js").then(({ About }) => new About(model, visitor));
    (await about.catch(() => (about = undefined)))?.take(said);
  },
});
/** @type {Promise<import("./about.js").About> | undefined} */
let about;
const model = new Model({
  site: page.site ?? "",
  token: (isRefused) => visitor.get(isRefused),
  changed: () => screen.set(),
  heard: (text, sender) => {
    log.announce(`${nameOf(sender)}: ${text}`);
    host.heard();
  },
  active: () => host.active(),
  // Within the hours the row says nothing of them.
  translation: () => visitor.about?.translation,
  staffed: (row) => visitor.about && Object.assign(visitor.about, { closed: false }, row),
});
/** @param {string} sender */
function nameOf(sender) {
  if (model.isMine(sender)) return t("you");
  if (sender === "s0") return title;
  return model.names.get(sender) || t("agent");
}

/** @param {import("../ui/items.js").Item} item */
function systemText({ line }) {
  if (line.kind === "translating") return t(line.data?.is_on ? "translationOn" : "translationOff", { name: nameOf(line.sender) });
  const plain = /** @type {const} */ ({ close: "closedLine", reopen: "reopened", erased: "erased", damaged: "damaged" })[line.kind];
  if (plain) return t(plain);
  if (line.kind === "rating") return t("rated", { stars: starsOf(line) });
  const { assignee, team } = line.data ?? {};
  if (!assignee) return t(team ? "toDepartment" : "assignedToNobody");
  model.named(assignee);
  return t("assignedTo", { name: nameOf(assignee) });
}

/** @type {LogView} */
const log = new LogView({
  nameOf,
  isMe: (sender) => model.isMine(sender),
  systemText,
  bodyOf: (line) => [line.kind === "file" && files.made ? files.made.lines.of(line) : line.body],
  recall: {
    until: (line) => (model.isMine(line.sender) ? line.at + model.skew + (visitor.about?.recall_within_s ?? 0) * 1000 : 0),
    act: (line) => model.chat.call("message.recall", { conversation: model.conversation, seq: line.seq }),
    again: (line) => composer.add(line.body),
  },
  edit: { until: editableUntil, start: edit },
  older: () => model.conversation && model.chat.older(model.conversation).then(() => screen.set()),
  seen: () => screen.set(),
  retry: (key) => model.chat.retry(key),
  discard: (key) => {
    model.chat.outbox.discard(key);
    screen.set();
  },
});
const composer = new Composer({
  send: (body) => model.send(body),
  typing: (text) => model.conversation && model.chat.typing(model.conversation, text, visitor.about?.shows_typing),
  up: () => {
    const line = log.lastOwn(editableUntil);
    if (line) edit(line);
    return Boolean(line);
  },
});
/** @param {import("../ui/items.js").Line} line */
function editableUntil(line) {
  return line.sender === model.me ? line.at + model.skew + (visitor.about?.edit_within_s ?? 0) * 1000 : 0;
}
/** @type {Promise<import("../ui/editing.js").Editing> | undefined} */
let editing;
/** @param {import("../ui/items.js").Line} line */
function edit(line) {
  const save = (/** @type {{seq?: number}} */ { seq }, /** @type {string} */ body, /** @type {string} */ key) =>
    model.chat.call("message.edit", { conversation: model.conversation, seq, key, body });
  editing ??= import("../ui/editing.js").then(({ Editing }) => new Editing({ composer, save }));
  editing.then((made) => made.start(line), () => (editing = undefined));
}
const STATUS = /** @type {const} */ ({ live: "online", wait: "connecting", lost: "connecting", stopped: "unconnected" });
const status = h("span", { class: "head-status" });
const title = page.siteName || t("agent");
const closeButton = h(
  "button",
  { type: "button", class: "head-close", "aria-label": t("closeWindow"), title: t("closeWindow"), onclick: () => host.close() },
  icon("close"),
);
const bar = h("div", { class: "bar", role: "status", hidden: true });
const dots = h("div", { class: "typing", hidden: true });
const room = h("main", { class: "room", "aria-label": t("conversation") }, log.element, dots);

const head = h(
  "header",
  { class: "head" },
  h("div", { class: "avatar", "aria-hidden": "true" }, [...title][0]),
  h("div", { class: "head-text" }, h("h1", null, h("bdi", null, title)), status),
  host.isFramed && closeButton,
);

fill(/** @type {Element} */ (document.getElementById("app")), head, bar, room, composer.element);

const shown = () => screen.set();
const leave = new Later(() => import("./leave.js"), ({ Leave }) => new Leave({ model, composer, room }), shown);
const ending = new Later(() => import("./ending.js"), ({ EndingView }) => new EndingView({ model, asks: () => visitor.about?.asks_rating ?? false, head, room }), shown);
const asking = new Later(
  () => import("./asking.js"),
  ({ Asking }) => {
    const made = new Asking({ model, room, form: /** @type {import("./asking.js").FormAsked} */ (visitor.about?.form) });
    void about?.then((one) => made.prefill(one.wanted), () => {});
    return made;
  },
  shown,
);
const queue = new Later(
  () => import("./queue.js"),
  ({ QueueBar }) => {
    const made = new QueueBar(model);
    bar.after(made.element);
    return made;
  },
  shown,
);
const earlier = new Later(() => import("./earlier.js"), ({ Earlier }) => new Earlier({ model, room, nameOf }), shown);
const files = new Later(
  () => import("../ui/files.js"),
  ({ Files }) => {
    const made = new Files({
      composer,
      zone: document.body,
      here: () => model.conversation,
      open: () => model.opened(),
      headers: async () => ({ authorization: `Bearer ${await visitor.get(false)}` }),
      bytesMax: () => visitor.about?.file_bytes ?? 0,
      texts: () => model.waiting(),
      freed: () => model.chat.flush(),
    });
    model.chat.session.lanes.heldFrom = (conversation) => made.heldFrom(conversation);
    made.button.hidden = !visitor.about?.file_bytes;
    return made;
  },
  shown,
);

const reading = new Later(() => import("./translating.js"), ({ Translating }) => new Translating({ model, log, head }), shown);

function greeting() {
  const own = visitor.about?.greeting;
  return own ? h("div", { class: "greeting", dir: "auto" }, own) : h("div", { class: "greeting" }, h("strong", null, t("greeting")), h("span", null, t("greetingMore")));
}

function draw() {
  const { isShown } = screen.state, { state } = model;
  const lines = model.lines();
  const items = itemsOf(lines, (sender) => model.isMine(sender), model.other(), reading.made?.reads(lines));
  const isWhole = !lines.length || (lines[0].seq ?? 1) <= 1;
  if (model.isTranslated) reading.need()?.show(lines);
  const skin = JSON.stringify([!files.made, reading.made?.isOff, ...model.names]);
  log.show(items, { top: isWhole && lines[0]?.kind !== "auto" ? greeting() : null, skin });
  composer.limit = model.chat.session.limits?.text_chars ?? composer.limit;
  drawParts();
  const isAway = state === "live" && leave.made?.isAway;
  fill(status, h("i", { class: `light ${state}${isAway ? " away" : ""}` }), isAway ? leave.made?.why : t(STATUS[state]));
  drawBar(state);
  drawTyping();
  void about?.then((one) => one.tell(), () => {});
  const isSeen = isShown && !document.hidden && log.isAtBottom;
  if (isSeen) model.seen();
  host.unread(isSeen ? 0 : model.unread());
}

/** @param {string} state */
function drawBar(state) {
  const text = state === "stopped" ? t(visitor.isUnknown ? "unsigned" : "stopped") : state === "lost" ? t("offline") : "";
  bar.hidden = !text;
  if (!text || bar.dataset.text === text) return;
  bar.dataset.text = text;
  const reload = h("button", { type: "button", class: "link", onclick: () => location.reload() }, t("reload"));
  fill(bar, text, state === "stopped" && reload);
}

/** What is only needed now and then is loaded then. */
function drawParts() {
  const { about } = visitor;
  if (model.place || queue.made) queue.need()?.show(about?.staffed ?? true);
  if (!about) return;
  for (const topic of [`staffed.${about.id}`, model.me && `queue.${about.id}.${model.me}`]) {
    if (topic && !model.chat.session.lists.topics.has(topic)) model.chat.watch(topic);
  }
  if (!about.staffed || leave.made) leave.need()?.show(about);
  const isAsking = (model.me && !model.conversation && about.form && (asking.need()?.show(leave.made?.isClosed ?? false) ?? true)) || false;
  if (asking.made && model.conversation) asking.made.show(false);
  composer.element.hidden = (leave.made?.isClosed ?? false) || isAsking;
  if (model.conversation) ending.need()?.show();
  files.need()?.show();
  if (earlier.made || Object.keys(model.heads).length > 1) earlier.need()?.show();
}

function drawTyping() {
  const who = model.typing().map(nameOf)[0];
  dots.hidden = !who;
  if (!who || dots.dataset.who === who) return;
  dots.dataset.who = who;
  fill(dots, h("i"), h("i"), h("i"), h("span", { class: "only-heard" }, t("typing", { name: who })));
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) host.close();
});
document.addEventListener("visibilitychange", () => screen.set());
screen.watch(draw);
keepDraft(visitor, composer);
keepTogether(visitor, model.chat);
model.chat.start();
