/** @import {Me} from "./api.js" */
/** @import {Tab} from "./desk.js" */
import "./icons.js";
import { fill, h, icon, Store } from "../ui/dom.js";
import { nearest, setLocale, t } from "../ui/i18n.js";
import { logOut, whoAmI } from "./api.js";
import { Desk } from "./desk.js";
import { HistoryPage } from "./history/page.js";
import { readPlace } from "./history/place.js";
import { ListView } from "./list.js";
import { loginForm } from "./login.js";
import { choice, say } from "./phrases.js";
import { RoomView } from "./room.js";
import { languageSwitch, rememberedLocale, Top } from "./top.js";
import { Light } from "./transport.js";

const GRACE_MS = 2_000;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));

async function begin() {
  try {
    const me = await whoAmI();
    if (me) work(me);
    else askWho();
  } catch {
    const again = h("button", { type: "button", class: "primary", onclick: begin }, t("retry"));
    fill(app, h("main", { class: "login" }, h("form", null, h("p", { role: "alert" }, say("serverAway")), again)));
  }
}

function askWho() {
  document.title = `${say("loginTitle")} · kefu`;
  fill(app, loginForm(work, languageSwitch(askWho)));
  app.querySelector("input")?.focus();
}

/** @param {Me} me */
function work(me) {
  const screen = new Store({
    tab: /** @type {Tab} */ ("queue"),
    selected: /** @type {number | null} */ (null),
    isHistory: readPlace(location.hash) !== null,
  });
  const desk = new Desk({
    me,
    transport: choice(),
    changed: () => screen.set(),
    returned: (id, text) => room.giveBack(id, text),
    heard: (id, text, sender) => id === shown() && room.log.announce(`${desk.nameOf(sender)}: ${text}`),
  });
  /** @type {ListView} */
  let list;
  /** @type {RoomView} */
  let room;
  const frame = h("div", { class: "desk" });
  const bar = h("div", { class: "alarm", role: "alert", hidden: true });
  /** @type {Light} */
  let light;
  /** @type {Top} */
  let top;
  const archive = new HistoryPage(desk, { changed: () => screen.set(), openChat });

  /** @returns {number | null} the conversation that is open before my eyes */
  function shown() {
    return screen.state.isHistory ? null : screen.state.selected;
  }

  function build() {
    const draft = room?.composer.text ?? "";
    list = new ListView(desk, { select, tab: (tab) => screen.set({ tab }) });
    room = new RoomView(desk, { leave: () => select(null), changed: () => screen.set() });
    light = new Light((chosen) => desk.use(chosen));
    top = new Top(me, light, { language: rebuild, out });
    place();
    if (screen.state.selected !== null) {
      room.open(screen.state.selected);
      room.composer.text = draft;
    }
    screen.set();
  }

  function rebuild() {
    archive.build();
    build();
  }

  /** Put the page that the URL names below the header. */
  function place() {
    const { isHistory } = screen.state;
    const [aside, ...main] = isHistory ? [archive.element, archive.reader.element] : [list.element, room.element, room.info];
    frame.classList.toggle("is-history", isHistory);
    fill(frame, h("div", { class: "side" }, top.element, aside), ...main);
  }

  /** The URL has changed, by a link, by going back, or by hand. */
  function route() {
    const isHistory = readPlace(location.hash) !== null;
    if (isHistory !== screen.state.isHistory) {
      screen.set({ isHistory });
      place();
      if (isHistory) archive.refresh();
    }
    if (isHistory) void archive.enter();
  }

  /** @param {number} id */
  function openChat(id) {
    const row = desk.rows.get(id);
    const tab = row?.status === "queued" ? "queue" : row?.assignee === me.id ? "mine" : "all";
    location.hash = "#/";
    screen.set({ tab });
    select(id);
  }

  /** @param {number | null} id */
  function select(id) {
    screen.set({ selected: id });
    room.open(id);
  }

  async function out() {
    desk.chat.connection.stop();
    await logOut().catch(() => {});
    location.reload();
  }

  /** @param {number} step */
  function move(step) {
    if (screen.state.isHistory) return archive.move(step);
    const rows = desk.list(screen.state.tab);
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.id === screen.state.selected);
    const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : (at + step + rows.length) % rows.length;
    select(rows[next].id);
  }

  /** The open conversation has become mine: its tab is where it is found now. */
  function keepInSight() {
    const { tab, selected } = screen.state;
    const row = selected === null ? undefined : desk.rows.get(selected);
    const isMine = row?.status === "active" && row.assignee === me.id;
    if (tab === "queue" && isMine) screen.state.tab = "mine";
  }

  function draw() {
    keepInSight();
    const { tab, selected, isHistory } = screen.state;
    const { status } = desk.chat.connection;
    const isLost = status === "stopped" || (status !== "live" && Date.now() - desk.lostAt > GRACE_MS);
    frame.classList.toggle("has-room", isHistory ? Boolean(archive.place?.conversation) : selected !== null);
    if (isHistory) {
      archive.show();
    } else {
      list.show(tab, selected);
      room.show();
    }
    light.show(status === "live", desk.transport);
    const mark = isLost ? status === "stopped" ? "stopped" : "lost" : "";
    if (bar.dataset.mark !== mark) alarm(isLost, status === "stopped");
    bar.dataset.mark = mark;
    const unread = desk.unreadInAll();
    top.show(isHistory, archive.hash, isHistory ? unread : 0);
    const title = `${unread ? `(${unread}) ` : ""}${say(isHistory ? "historyPage" : "loginTitle")} · kefu`;
    const wanted = isLost ? `⚠ ${say("notReceivingTitle")} · kefu` : title;
    if (document.title !== wanted) document.title = wanted;
  }

  /**
   * @param {boolean} isLost
   * @param {boolean} isStopped
   */
  function alarm(isLost, isStopped) {
    bar.hidden = !isLost;
    document.documentElement.classList.toggle("is-lost", isLost);
    const act = isStopped ? () => location.reload() : () => desk.chat.connection.wake();
    const button = h("button", { type: "button", onclick: act }, t(isStopped ? "reload" : "retrying"));
    fill(bar, icon("close"), h("strong", null, isStopped ? t("stopped") : say("notReceiving")), button);
  }

  document.addEventListener("keydown", (event) => {
    // On some keyboards Alt changes the letter, so the key's place is asked for.
    if (event.altKey && (event.code === "KeyJ" || event.code === "KeyK")) {
      event.preventDefault();
      move(event.code === "KeyJ" ? 1 : -1);
    } else if (event.altKey && screen.state.isHistory && /^Arrow(Up|Down)$/.test(event.key)) {
      event.preventDefault();
      archive.reader.step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape" && !event.isComposing) {
      if (screen.state.isHistory) return archive.leave();
      const row = /** @type {HTMLElement | null} */ (app.querySelector(".row.selected"));
      select(null);
      row?.focus();
    }
  });
  for (const name of ["focus", "visibilitychange"]) addEventListener(name, () => screen.set(), true);
  setInterval(() => (desk.chat.logs.expire(Date.now()), screen.set()), 1000);
  fill(app, bar, frame);
  build();
  screen.watch(draw);
  desk.chat.start();
  addEventListener("hashchange", route);
  if (screen.state.isHistory) void archive.enter();
}

await setLocale(nearest(rememberedLocale() ?? navigator.language));
await begin();
