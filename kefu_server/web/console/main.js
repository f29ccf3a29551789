/** @import {Me} from "./api.js" */
/** @import {Tab} from "./desk.js" */
import { fill, h, icon, Store } from "../ui/dom.js";
import { getLocale, nearest, setLocale, t } from "../ui/i18n.js";
import { logOut, whoAmI } from "./api.js";
import { Desk } from "./desk.js";
import { ListView } from "./list.js";
import { loginForm } from "./login.js";
import { choice, say } from "./phrases.js";
import { RoomView } from "./room.js";
import { Light } from "./transport.js";

const GRACE_MS = 2_000;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const LOCALE = "kefu.locale";

/** @returns {string | null} */
function remembered() {
  try {
    return localStorage.getItem(LOCALE);
  } catch {
    return null;
  }
}

/** @param {() => void} changed */
function languageSwitch(changed) {
  return h("button", {
    type: "button",
    class: "plain small",
    "aria-label": t("language"),
    title: t("language"),
    onclick: async () => {
      await setLocale(getLocale() === "en" ? "zh-CN" : "en");
      try {
        localStorage.setItem(LOCALE, getLocale());
      } catch {
        // The choice then lasts until the reload.
      }
      changed();
    },
  }, t("languageShort"));
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
  const screen = new Store({ tab: /** @type {Tab} */ ("queue"), selected: /** @type {number | null} */ (null) });
  const desk = new Desk({
    me,
    transport: choice(),
    changed: () => screen.set(),
    returned: (id, text) => room.giveBack(id, text),
    heard: (id, text, sender) => id === screen.state.selected && room.log.announce(`${desk.nameOf(sender)}: ${text}`),
  });
  /** @type {ListView} */
  let list;
  /** @type {RoomView} */
  let room;
  const frame = h("div", { class: "desk" });
  const bar = h("div", { class: "alarm", role: "alert", hidden: true });
  /** @type {Light} */
  let light;

  function build() {
    const draft = room?.composer.text ?? "";
    list = new ListView(desk, { select, tab: (tab) => screen.set({ tab }) });
    room = new RoomView(desk, { leave: () => select(null), changed: () => screen.set() });
    light = new Light((chosen) => desk.use(chosen));
    const leave = h("button", { type: "button", class: "plain small", "aria-label": say("logout"), title: say("logout"), onclick: out }, icon("leave"));
    const top = h(
      "header",
      { class: "top" },
      h("div", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }, "k"), "kefu"),
      light.element,
      h("span", { class: "top-name" }, h("bdi", null, me.name)),
      languageSwitch(build),
      leave,
    );
    fill(frame, h("div", { class: "side" }, top, list.element), room.element, room.info);
    if (screen.state.selected !== null) {
      room.open(screen.state.selected);
      room.composer.text = draft;
    }
    screen.set();
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
    const { tab, selected } = screen.state;
    const { status } = desk.chat.connection;
    const isLost = status === "stopped" || (status !== "live" && Date.now() - desk.lostAt > GRACE_MS);
    frame.classList.toggle("has-room", selected !== null);
    list.show(tab, selected);
    room.show();
    light.show(status === "live", desk.transport);
    const mark = isLost ? status === "stopped" ? "stopped" : "lost" : "";
    if (bar.dataset.mark !== mark) alarm(isLost, status === "stopped");
    bar.dataset.mark = mark;
    const unread = desk.unreadInAll();
    const title = `${unread ? `(${unread}) ` : ""}${say("loginTitle")} · kefu`;
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
    } else if (event.key === "Escape" && !event.isComposing) {
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
}

await setLocale(nearest(remembered() ?? navigator.language));
await begin();
