/** @import {Desk} from "../desk.js" */
import { h } from "../../ui/dom.js";
import { box, field } from "../settings/form.js";
import { Others } from "../translation/others.js";
import { SiteCards } from "./cards.js";
import { tell } from "./phrases.js";

const SAID = /** @type {const} */ (["greeting", "waiting", "away"]);
const ASKED = /** @type {const} */ (["name", "email", "phone", "department", "question"]);

/** @param {string} value */
function choice(value) {
  const select = h("select", null, ...["no", "may", "must"].map((each) => h("option", { value: each }, tell(/** @type {"no"} */ (each)))));
  select.value = value;
  return select;
}

/** @param {Desk} desk */
export function make(desk) {
  return new SiteCards(desk, {
    part: "talk",
    more: tell("talkMore"),
    learn: () => desk.chat.call("teams.list", {}),
    fields: ({ id, settings: { talk } }, all) => {
      const asks = h("input", { type: "checkbox", checked: talk.asks_rating });
      const said = (/** @type {string} */ value) => h("textarea", { value, maxLength: 1000, dir: "auto", placeholder: tell("nothing") });
      const greeting = said(talk.greeting);
      const waiting = said(talk.waiting);
      const away = said(talk.away);
      const parts = { greeting, waiting, away };
      const others = new Others(desk, async () => [id], SAID.map((name) => ({ name, label: tell(name), source: parts[name] })), talk.translations);
      const after = h("input", { type: "number", required: true, min: "5", max: "3600", value: String(talk.waiting_after_s) });
      const typing = h("input", { type: "checkbox", checked: talk.shows_typing });
      const recall = h("input", { type: "number", required: true, min: "0", max: "86400", value: String(talk.recall_within_s) });
      const edit = h("input", { type: "number", required: true, min: "0", max: "86400", value: String(talk.edit_within_s) });
      const { form } = talk;
      const asked = Object.fromEntries(ASKED.map((name) => [name, choice(form[name])]));
      const chosen = new Set(talk.departments);
      const teams = all.teams.map((/** @type {{id: number, name: string}} */ { id, name }) => {
        const ticked = h("input", { type: "checkbox", checked: chosen.has(id), onchange: () => void (ticked.checked ? chosen.add(id) : chosen.delete(id)) });
        return box(ticked, name);
      });
      return {
        nodes: [
          h("fieldset", { class: "boxes week" }, h("legend", null, tell("form")), h("small", { class: "more" }, tell("formMore")), ...ASKED.map((name) => field(tell(name), asked[name]))),
          h("fieldset", { class: "boxes" }, h("legend", null, tell("departments")), ...(teams.length ? teams : [h("p", { class: "more" }, tell("noTeams"))])),
          h("p", { class: "more" }, tell("saidMore", { site: "{site}", opens: "{opens}" })),
          field(tell("greeting"), greeting),
          field(tell("waiting"), waiting),
          field(tell("waitingAfter"), after),
          field(tell("away"), away, tell("awayMore")),
          others.element,
          box(asks, tell("asksRating"), tell("asksRatingMore")),
          field(tell("recall"), recall, tell("recallMore")),
          field(tell("edit"), edit, tell("editMore")),
          box(typing, tell("showsTyping"), tell("showsTypingMore")),
        ],
        read: () => ({
          ...talk,
          asks_rating: asks.checked,
          shows_typing: typing.checked,
          recall_within_s: Number(recall.value),
          edit_within_s: Number(edit.value),
          greeting: greeting.value.trim(),
          waiting: waiting.value.trim(),
          waiting_after_s: Number(after.value),
          away: away.value.trim(),
          translations: others.read(),
          form: Object.fromEntries(ASKED.map((name) => [name, asked[name].value])),
          departments: [...chosen],
        }),
      };
    },
  });
}
