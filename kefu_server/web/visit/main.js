import { VisitorToken } from "../widget/visitor.js";
import { Reporter } from "./reporter.js";

const { site = "", origins = "" } = document.body.dataset;
const given = new URLSearchParams(location.hash.slice(1)).get("origin") ?? "";
const origin = origins.split(" ").includes(given) && window.parent !== window ? given : "";

const reporter = new Reporter({
  site,
  visitor: new VisitorToken(site),
  answered: () => {},
  stopped: () => post("kefu:visit-off"),
});

/** @param {string} type */
function post(type) {
  if (origin) window.parent.postMessage({ type }, origin);
}

addEventListener("message", ({ source, origin: from, data }) => {
  if (!origin || source !== window.parent || from !== origin || data?.type !== "kefu:page") return;
  const { url, title, referrer } = data;
  if ([url, title, referrer].every((text) => typeof text === "string")) reporter.show({ url, title, referrer });
});
document.addEventListener("visibilitychange", () => reporter.soon(200));
addEventListener("pagehide", () => reporter.leave());
addEventListener("pageshow", ({ persisted }) => persisted && reporter.soon(0));
post("kefu:visit-ready");
