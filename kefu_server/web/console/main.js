/** @import {Me} from "./api.js" */
/** @import {Tab} from "./desk.js" */
/** @import {PageView} from "./pages.js" */
import "./icons.js";
import { fill, h, Store } from "../ui/dom.js";
import { nearest, setLocale, t } from "../ui/i18n.js";
import { Alarm } from "./alarm.js";
import { logOut, whoAmI } from "./api.js";
import { Desk } from "./desk.js";
import { HistoryPage } from "./history/page.js";
import { readPlace } from "./history/place.js";
import { listen } from "./keys.js";
import { ListView } from "./list.js";
import { loginForm } from "./login.js";
import { notices } from "./notices.js";
import { pageOf } from "./pages.js";
import { choice, say } from "./phrases.js";
import { Rail } from "./rail.js";
import { RoomView } from "./room.js";
import { languageSwitch, rememberedLocale, Top } from "./top.js";
import { Light } from "./transport.js";

const GRACE_MS = 2_000;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));

/** @type {(hash: string) => string} the name of the page that a URL says */
function nameOf(hash) {
  return pageOf(hash)?.kind.name ?? (readPlace(hash) ? "history" : "chat");
}

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
    page: nameOf(location.hash),
  });
  const desk = new Desk({
    me,
    transport: choice(),
    changed: () => screen.set(),
    returned: (id, text) => room.writing.giveBack(id, text),
    heard: (id, text, sender) => id === shown() && room.log.announce(`${desk.nameOf(sender)}: ${text}`),
  });
  /** @type {ListView} */
  let list;
  /** @type {RoomView} */
  let room;
  const frame = h("div", { class: "desk" });
  const alarm = new Alarm(() => desk.chat.connection.wake(), () => notices.ring());
  /** @type {Light} */
  let light;
  /** @type {Top} */
  let top;
  /** @type {Rail} */
  let rail;
  desk.show = openChat;
  const archive = new HistoryPage(desk, { changed: () => screen.set(), openChat });
  /** @type {Map<string, PageView>} */
  const views = new Map();

  /** @returns {number | null} the conversation that is open before my eyes */
  function shown() {
    return screen.state.page === "chat" ? screen.state.selected : null;
  }

  function build() {
    room?.writing.keep();
    room?.pane.visit.rest();
    list = new ListView(desk, { select, tab: (tab) => screen.set({ tab }) });
    room = new RoomView(desk, { leave: () => select(null), changed: () => screen.set() });
    light = new Light((chosen) => desk.use(chosen));
    top = new Top(desk, light, { language: rebuild, out });
    rail = new Rail(me);
    place();
    if (screen.state.selected !== null) room.open(screen.state.selected);
    screen.set();
  }

  function rebuild() {
    archive.build();
    views.clear();
    build();
    void enter();
  }

  /** Put the page that the URL names below the header. */
  function place() {
    const { page } = screen.state;
    const view = views.get(page);
    frame.classList.toggle("is-history", page === "history");
    frame.classList.toggle("is-page", page !== "history" && page !== "chat");
    if (page === "chat" || page === "history") {
      const [aside, ...main] = page === "history" ? [archive.element, archive.reader.element] : [list.element, room.element, room.pane.element];
      fill(frame, rail.element, h("div", { class: "side" }, top.element, aside), ...main);
    } else {
      fill(frame, rail.element, h("div", { class: "page-frame" }, top.element, view?.element ?? h("main", { class: "page" })));
    }
  }

  /** The URL has changed, by a link, by going back, or by hand. */
  function route() {
    const page = nameOf(location.hash);
    if (page !== screen.state.page) {
      views.get(screen.state.page)?.leave?.();
      screen.set({ page });
      place();
      if (page === "history") archive.refresh();
    }
    void enter();
  }

  /** Let the page take what the URL says; loads it if it was never shown. */
  async function enter() {
    if (screen.state.page === "history") return archive.enter();
    const found = pageOf(location.hash);
    if (!found) return;
    const { kind, rest } = found;
    if (!views.has(kind.name)) {
      try {
        views.set(kind.name, (await kind.load()).make(desk));
      } catch {
        const again = h("button", { type: "button", class: "primary", onclick: enter }, t("retry"));
        const element = h("main", { class: "page" }, h("p", { role: "alert" }, say("pageFailed")), again);
        if (screen.state.page === kind.name) fill(frame, rail.element, h("div", { class: "page-frame" }, top.element, element));
        return;
      }
      if (screen.state.page !== kind.name) return;
      place();
    }
    views.get(kind.name)?.enter(rest);
    screen.set();
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
    if (screen.state.page === "history") return archive.move(step);
    if (screen.state.page !== "chat") return;
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
    const { tab, selected, page } = screen.state;
    const isHistory = page === "history";
    const { status } = desk.chat.connection;
    const isLost = status === "stopped" || (status !== "live" && Date.now() - desk.lostAt > GRACE_MS);
    frame.classList.toggle("has-room", isHistory ? Boolean(archive.place?.conversation) : page === "chat" && selected !== null);
    frame.classList.toggle("no-info", page === "chat" && !room.pane.isOpen);
    if (page !== "chat") room.pane.visit.rest();
    if (isHistory) {
      archive.show();
    } else if (page === "chat") {
      list.show(tab, selected);
      room.show();
    } else {
      views.get(page)?.show();
    }
    light.show(status === "live", desk.transport);
    top.show();
    alarm.show(isLost ? status === "stopped" ? "stopped" : "lost" : "");
    const unread = desk.unreadInAll();
    rail.show(page, desk, archive.hash);
    notices.look(desk, shown());
    const name = pageOf(location.hash)?.kind.title() ?? say(isHistory ? "historyPage" : "loginTitle");
    const count = unread ? `(${unread}) ` : "";
    const title = `${count}${name} · kefu`;
    const wanted = isLost ? `⚠ ${say("notReceivingTitle")} · kefu` : title;
    if (document.title !== wanted) document.title = wanted;
  }

  function escape() {
    if (screen.state.page === "history") return archive.leave();
    if (screen.state.page !== "chat") return;
    const row = /** @type {HTMLElement | null} */ (app.querySelector(".row.selected"));
    select(null);
    row?.focus();
  }

  listen({ move, escape, note: () => shown() !== null && room.writing.toggle(), preview: () => shown() !== null && void room.preview.look(), hit: (step) => screen.state.page === "history" && archive.reader.step(step) });
  for (const name of ["focus", "visibilitychange"]) addEventListener(name, () => screen.set(), true);
  setInterval(() => (desk.chat.logs.expire(Date.now()), desk.directory.keep(), screen.set()), 1000);
  fill(app, alarm.element, frame);
  build();
  screen.watch(draw);
  desk.chat.start();
  addEventListener("hashchange", route);
  void enter();
}

await setLocale(nearest(rememberedLocale() ?? navigator.language));
await begin();
