/** @import {Invitation} from "./reporter.js" */
import { VisitorToken } from "../widget/visitor.js";
import { Reporter } from "./reporter.js";

const { site = "", siteName = "", locale = "", origins = "" } = document.body.dataset;
const given = new URLSearchParams(location.hash.slice(1));
const from = given.get("origin") ?? "";
const origin = origins.split(" ").includes(from) && window.parent !== window ? from : "";
let isChatOpen = false;
/** @type {import("./invite.js").Bubble | undefined} */
let bubble;

const reporter = new Reporter({
  site,
  visitor: new VisitorToken(site),
  answered: ({ invitation }) => invite(invitation),
  stopped: () => post({ type: "kefu:visit-off" }),
});

/** @param {Record<string, unknown>} message */
function post(message) {
  if (origin) window.parent.postMessage(message, origin);
}

/** What shows an invitation is loaded with the first. @param {Invitation | undefined} invitation */
async function invite(invitation) {
  if (!invitation || isChatOpen) return bubble?.hide();
  const { Bubble } = await import("./invite.js");
  bubble ??= new Bubble({
    locale: given.get("locale") || locale,
    color: given.get("color"),
    site,
    siteName,
    post,
    answered: (id, state) => reporter.answer(id, state),
  });
  await bubble.show(invitation);
}

addEventListener("message", ({ source, origin: sender, data }) => {
  if (!origin || source !== window.parent || sender !== origin) return;
  if (data?.type === "kefu:chat-open" || data?.type === "kefu:chat-close") {
    isChatOpen = data.type === "kefu:chat-open";
    if (isChatOpen) bubble?.accepted();
  }
  if (data?.type !== "kefu:page") return;
  const { url, title, referrer } = data;
  if ([url, title, referrer].every((text) => typeof text === "string")) reporter.show({ url, title, referrer });
});
document.addEventListener("visibilitychange", () => reporter.soon(200));
addEventListener("pagehide", () => reporter.leave());
addEventListener("pageshow", ({ persisted }) => persisted && reporter.soon(0));
post({ type: "kefu:visit-ready" });
