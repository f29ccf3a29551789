// Puts the chat's launcher on a page. One line does it:
// <script async src="https://kefu.example/widget.js" data-site="KEY"></script>
// Optional: data-locale="en", data-color="#0a7d5a", data-visits="off". window.kefu("open") and the like: docs/howto/widget.md.
(function () {
  "use strict";
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement) || !script.dataset.site) return;
  const mark = "kefu-launcher";
  if (document.getElementById(mark)) return;

  const { site, color } = script.dataset;
  let { locale } = script.dataset;
  const server = new URL(script.src).origin;
  let text = phrases();
  const accent = /^#[0-9a-f]{6}$/i.test(color || "") ? String(color) : "#2457e6";
  const memory = `kefu:${site}`;
  const narrow = matchMedia("(max-width: 640px)");

  const css = `
    :host { all: initial !important; position: fixed !important; z-index: 2147483000 !important; right: 0 !important; bottom: 0 !important; display: block !important; }
    :host([hidden]) { display: none !important; }
    * { box-sizing: border-box; }
    button { all: unset; box-sizing: border-box; position: fixed; right: 20px; bottom: 20px; right: calc(20px + env(safe-area-inset-right)); bottom: calc(20px + env(safe-area-inset-bottom));
      width: 60px; height: 60px; border-radius: 50%; cursor: pointer; background: ${accent}; box-shadow: 0 6px 20px #0004, 0 1px 4px #0003; transition: transform .18s ease; }
    button:hover { transform: scale(1.06); }
    button:focus-visible { outline: 3px solid #fff; box-shadow: 0 0 0 6px ${accent}; }
    svg { position: absolute; inset: 16px; width: 28px; height: 28px; fill: none; stroke: #fff; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; transition: transform .2s ease, opacity .15s ease; }
    .x, .is-open .chat { opacity: 0; transform: rotate(-45deg) scale(.6); }
    .is-open .x { opacity: 1; transform: none; }
    .badge { position: absolute; top: -4px; right: -4px; min-width: 22px; height: 22px; padding: 0 6px; border-radius: 11px; background: #e02f44; color: #fff; font: 600 12px/22px system-ui, sans-serif;
      text-align: center; box-shadow: 0 0 0 2px #fff; }
    .badge[hidden] { display: none; }
    iframe { position: fixed; right: 20px; bottom: 96px; width: 392px; height: min(640px, 100vh - 116px); border: 0; border-radius: 18px; box-shadow: 0 16px 56px #0003, 0 2px 10px #0002;
      background: transparent; color-scheme: normal; visibility: hidden; opacity: 0; transform: translateY(14px) scale(.98); transform-origin: bottom right; transition: opacity .16s ease, transform .18s ease, visibility 0s .18s; }
    .is-open iframe { visibility: visible; opacity: 1; transform: none; transition-delay: 0s; }
    @media (max-width: 640px) { iframe { inset: 0; width: 100%; height: 100%; border-radius: 0; } .is-open button { display: none; } }
    @media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
    @media print { :host { display: none !important; } }`;

  const host = document.createElement("div");
  host.id = mark;
  const root = host.attachShadow({ mode: "open" });
  // A constructed sheet is allowed where the page's policy forbids inline styles.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];

  const box = document.createElement("div");
  const button = document.createElement("button");
  const badge = document.createElement("span");
  button.type = "button";
  badge.className = "badge";
  badge.hidden = true;
  badge.setAttribute("aria-hidden", "true");
  button.append(
    drawing("chat", "M5 6.500A2.500 2.500 0 0 1 7.500 4h9A2.500 2.500 0 0 1 19 6.500v6.500a2.500 2.500 0 0 1-2.500 2.500H11L6.500 19.500v-4A2.500 2.500 0 0 1 5 13z"),
    drawing("x", "M6 6l12 12M18 6L6 18"),
    badge,
  );
  box.append(button);
  root.append(box);

  /** @type {HTMLIFrameElement | null} */
  let frame = null;
  let isOpen = false;
  let isReady = false;
  let unread = 0;
  /** @type {Record<string, any>} */
  let about = {};
  /** @type {Record<string, ((value?: number) => void)[]>} */
  const listeners = { open: [], close: [], unread: [], message: [] };

  button.addEventListener("click", () => (isOpen ? close() : open()));
  addEventListener("keydown", ({ key }) => isOpen && key === "Escape" && close());
  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== server) return;
    const data = event.data;
    if (!data || typeof data !== "object") return;
    if (data.type === "kefu:ready") {
      isReady = true;
      tell();
      describe({});
      if (locale) setLanguage(locale);
    } else if (data.type === "kefu:unread" && Number.isInteger(data.count)) {
      const count = Math.max(0, data.count);
      const isNews = count !== unread;
      unread = count;
      label();
      if (isNews) happened("unread", count);
    } else if (data.type === "kefu:message") {
      happened("message");
    } else if (data.type === "kefu:close") {
      close();
    } else if (data.type === "kefu:active") {
      remembered(true);
    }
  });
  narrow.addEventListener("change", tell);
  label();
  if (document.body) place();
  else document.addEventListener("DOMContentLoaded", place);

  /** @type {Record<string, (...given: any[]) => unknown>} */
  const commands = {
    open,
    close,
    toggle: () => (isOpen ? close() : open()),
    setLanguage,
    // What was said before somebody logged out in another tab counts no more.
    setAttributes: (given) => describe({ attributes: { ...about.attributes, ...plain(given) }, at: about.at ?? Date.now() }),
    identify: (given) => describe({ identity: plain(given), at: Date.now() }),
    reset: () => (load(), (about = { isNew: true, at: Date.now() }), describe({})),
    on: (name, listener) => {
      if (typeof listener !== "function" || !Object.hasOwn(listeners, name)) return warn(`on ${name}`);
      listeners[name].push(listener);
    },
    watch: () => script.dispatchEvent(new Event("kefu-watch")),
    version: () => 1,
  };
  // A page that calls before this script is here has left its calls in `q`.
  const page = /** @type {any} */ (window);
  const waiting = typeof page.kefu === "function" && page.kefu.q;
  page.kefu = (/** @type {string} */ name, /** @type {any[]} */ ...given) =>
    Object.hasOwn(commands, name) ? commands[name](...given) : warn(name);
  if (Array.isArray(waiting)) for (const call of waiting) page.kefu(...call);

  function warn(/** @type {string} */ what) {
    console.warn(`kefu: there is no ${what}`);
  }

  /** @param {string} name @param {number} [value] */
  function happened(name, value) {
    for (const listener of listeners[name]) {
      try {
        listener(value);
      } catch (error) {
        // The page's own mistake does not stop the chat.
        console.error(error);
      }
    }
  }

  function phrases() {
    return /^zh/i.test(locale || document.documentElement.lang || "zh")
      ? { open: "打开聊天", close: "关闭聊天", title: "客服聊天", unread: "条未读消息" }
      : { open: "Open chat", close: "Close chat", title: "Chat", unread: "unread messages" };
  }

  /** @param {unknown} wanted */
  function setLanguage(wanted) {
    if (typeof wanted !== "string" || !/^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i.test(wanted)) return warn(`language ${wanted}`);
    locale = wanted;
    text = phrases();
    label();
    if (frame) frame.title = text.title;
    post({ type: "kefu:language", locale });
  }

  function place() {
    document.body.append(host);
    // Somebody who has a conversation here gets the badge without opening the chat.
    if (remembered()) setTimeout(load, 400);
  }

  function load() {
    if (frame) return;
    frame = document.createElement("iframe");
    frame.title = text.title;
    frame.allow = "clipboard-write";
    const settings = new URLSearchParams({ origin: location.origin, color: accent });
    if (locale) settings.set("locale", locale);
    frame.src = `${server}/widget/${encodeURIComponent(String(site))}#${settings}`;
    box.prepend(frame);
  }

  function open() {
    load();
    const isNews = !isOpen;
    isOpen = true;
    show();
    frame?.focus();
    if (isNews) happened("open");
  }

  function close() {
    if (!isOpen) return;
    isOpen = false;
    show();
    button.focus();
    happened("close");
  }

  function show() {
    box.className = isOpen ? "is-open" : "";
    label();
    tell();
  }

  function tell() {
    post({ type: isOpen ? "kefu:open" : "kefu:closed", narrow: narrow.matches });
  }

  function post(/** @type {Record<string, any>} */ message) {
    if (isReady) frame?.contentWindow?.postMessage(message, server);
  }

  /** @param {Record<string, any>} news what the page says of its visitor; the frame hears it once it is there */
  function describe(news) {
    about = { ...about, ...news };
    if (isReady && Object.keys(about).length) post({ type: "kefu:about", ...about });
    if (isReady) delete about.isNew;
  }

  function plain(/** @type {any} */ given) {
    const isPlain = (/** @type {unknown} */ value) => value === null || /^(string|number|boolean)$/.test(typeof value);
    return Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => isPlain(value)));
  }

  function label() {
    badge.hidden = unread === 0 || isOpen;
    badge.textContent = unread > 99 ? "99+" : String(unread);
    const more = unread && !isOpen ? ` (${unread} ${text.unread})` : "";
    button.setAttribute("aria-label", (isOpen ? text.close : text.open) + more);
    button.setAttribute("aria-expanded", String(isOpen));
  }

  /** Without storage the badge waits for the first click. @param {boolean} [isNews] */
  function remembered(isNews) {
    try {
      if (isNews) localStorage.setItem(memory, "1");
      return localStorage.getItem(memory) === "1";
    } catch {
      return false;
    }
  }

  /** @param {string} name @param {string} d */
  function drawing(name, d) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const path = document.createElementNS(space, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("class", name);
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", d);
    svg.append(path);
    return svg;
  }
})();
