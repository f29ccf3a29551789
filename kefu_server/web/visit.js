// Tells a hidden frame of the server which page a visitor is on, once the page is idle. Served in front of the loader,
// as one file. It changes nothing of the page; data-visits="off" at the script waits for kefu("watch").
(function () {
  "use strict";
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement) || !script.dataset.site) return;
  const mark = "kefu-visit";
  const { site } = script.dataset;
  const server = new URL(script.src).origin;
  const memory = `kefu:${site}:unwatched`;
  const LOOK_MS = 1_000;
  const OFF_MS = 3_600_000;

  const host = document.createElement("div");
  const frame = document.createElement("iframe");
  let isBegun = false;
  let isReady = false;
  let told = "";
  let title = "";
  let timer = 0;

  script.addEventListener("kefu-watch", begin);
  if (script.dataset.visits !== "off") {
    if (document.readyState === "complete") begin();
    else addEventListener("load", begin);
  }

  function begin() {
    if (isBegun || document.getElementById(mark) || isOff()) return;
    isBegun = true;
    // A page that never rests, or is not drawn, is not waited for.
    if ("requestIdleCallback" in window) requestIdleCallback(place, { timeout: 2_000 });
    else setTimeout(place);
  }

  function place() {
    host.id = mark;
    const root = host.attachShadow({ mode: "open" });
    // A constructed sheet is allowed where the page's policy forbids inline styles.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
      :host { all: initial !important; position: fixed !important; right: 0 !important; bottom: 0 !important; width: 0 !important; height: 0 !important; z-index: 2147483000 !important; }
      iframe { position: fixed; right: 0; bottom: 0; width: 0; height: 0; border: 0; visibility: hidden; color-scheme: light dark; background: transparent; }
      iframe.is-shown { right: 20px; bottom: 96px; width: min(340px, 100vw - 40px); visibility: visible; border-radius: 16px; box-shadow: 0 12px 40px #0003, 0 2px 8px #0002; z-index: 2147483000; }
      @media print { :host { display: none !important; } }`);
    root.adoptedStyleSheets = [sheet];
    frame.tabIndex = -1;
    frame.setAttribute("aria-hidden", "true");
    const locale = script?.dataset.locale || document.documentElement.lang;
    const settings = new URLSearchParams({ origin: location.origin, locale, color: script?.dataset.color ?? "" });
    frame.src = `${server}/widget/${encodeURIComponent(String(site))}/visit#${settings}`;
    root.append(frame);
    // Who has opened the chat needs no invitation.
    for (const name of ["open", "close"]) kefu("on", name, () => post({ type: `kefu:chat-${name}` }));
    addEventListener("message", heard);
    document.body.append(host);
    // Pages that change without loading do it in too many ways to listen to: looking is surer, and costs nothing.
    timer = setInterval(look, LOOK_MS);
  }

  /** @param {MessageEvent} event */
  function heard(event) {
    if (event.source !== frame.contentWindow || event.origin !== server) return;
    const type = event.data?.type;
    if (type === "kefu:visit-off") stop();
    else if (type === "kefu:invite") invite(Number(event.data.height), String(event.data.title));
    else if (type === "kefu:invite-accept") kefu("open");
    if (type !== "kefu:visit-ready") return;
    isReady = true;
    look();
  }

  /**
   * Show the frame, which has an invitation in it; without a height it is over.
   * @param {number} height
   * @param {string} title
   */
  function invite(height, title) {
    const isShown = height > 0;
    frame.className = isShown ? "is-shown" : "";
    frame.style.height = isShown ? `${Math.min(height, 400)}px` : "";
    frame.title = title;
    frame.tabIndex = isShown ? 0 : -1;
    if (isShown) frame.removeAttribute("aria-hidden");
    else frame.setAttribute("aria-hidden", "true");
  }

  /** @param {...unknown} call */
  function kefu(...call) {
    /** @type {any} */ (window).kefu?.(...call);
  }

  /** @param {Record<string, unknown>} message */
  function post(message) {
    if (isReady) frame.contentWindow?.postMessage(message, server);
  }

  function look() {
    // What stands after # is the page's own business, and may be a token.
    const [url] = location.href.split("#");
    if (!isReady || (url === told && document.title === title)) return;
    told = url;
    title = document.title;
    post({ type: "kefu:page", url, title, referrer: document.referrer });
  }

  /** This site does not want to know: its pages ask again an hour later. */
  function stop() {
    clearInterval(timer);
    host.remove();
    try {
      sessionStorage.setItem(memory, String(Date.now()));
    } catch {
      // Then each page asks once.
    }
  }

  function isOff() {
    try {
      return Date.now() - Number(sessionStorage.getItem(memory)) < OFF_MS;
    } catch {
      return false;
    }
  }
})();
