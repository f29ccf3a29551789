/** @import {Desk} from "../desk.js" */
import { h } from "../../ui/dom.js";
import { box } from "../settings/form.js";
import { SiteCards } from "./cards.js";
import { tell } from "./phrases.js";

/** @param {Desk} desk */
export function make(desk) {
  return new SiteCards(desk, {
    part: "talk",
    more: tell("talkMore"),
    fields: ({ settings: { talk } }) => {
      const asks = h("input", { type: "checkbox", checked: talk.asks_rating });
      return {
        nodes: [box(asks, tell("asksRating"), tell("asksRatingMore"))],
        read: () => ({ ...talk, asks_rating: asks.checked }),
      };
    },
  });
}
