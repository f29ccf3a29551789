/** @import {Desk} from "../desk.js" */
import { h } from "../../ui/dom.js";
import { box, field } from "../settings/form.js";
import { SiteCards } from "./cards.js";
import { tell } from "./phrases.js";

/** @param {Desk} desk */
export function make(desk) {
  return new SiteCards(desk, {
    part: "talk",
    more: tell("talkMore"),
    fields: ({ settings: { talk } }) => {
      const asks = h("input", { type: "checkbox", checked: talk.asks_rating });
      const said = (/** @type {string} */ value) => h("textarea", { value, maxLength: 1000, dir: "auto", placeholder: tell("nothing") });
      const greeting = said(talk.greeting);
      const waiting = said(talk.waiting);
      const away = said(talk.away);
      const after = h("input", { type: "number", required: true, min: "5", max: "3600", value: String(talk.waiting_after_s) });
      return {
        nodes: [
          h("p", { class: "more" }, tell("saidMore", { site: "{site}", opens: "{opens}" })),
          field(tell("greeting"), greeting),
          field(tell("waiting"), waiting),
          field(tell("waitingAfter"), after),
          field(tell("away"), away, tell("awayMore")),
          box(asks, tell("asksRating"), tell("asksRatingMore")),
        ],
        read: () => ({
          ...talk,
          asks_rating: asks.checked,
          greeting: greeting.value.trim(),
          waiting: waiting.value.trim(),
          waiting_after_s: Number(after.value),
          away: away.value.trim(),
        }),
      };
    },
  });
}
