/** @import {Desk} from "../desk.js" */
import { Refusal } from "../../client/chat.js";
import { fill, h } from "../../ui/dom.js";
import { box, field } from "../settings/form.js";
import { ListSection } from "../settings/section.js";
import { tell } from "./phrases.js";

/** @param {Desk} desk */
export function make(desk) {
  return new AbsenceSection(desk);
}

/** What each site does while nobody is there. */
class AbsenceSection extends ListSection {
  async load() {
    const answer = await this.call("absence.list");
    if (!answer) return;
    const cards = answer.rows.map((/** @type {any} */ row) => this.card(row, answer.mail_problem));
    fill(this.list, h("p", { class: "more" }, tell("absenceMore")), ...cards);
  }

  /**
   * @param {{site: number, name: string, may_chat: boolean, notices_to: string[]}} row
   * @param {string} mailProblem
   */
  card(row, mailProblem) {
    const chat = h("input", { type: "checkbox", checked: row.may_chat });
    const notices = h("input", { value: row.notices_to.join(", "), inputMode: "email", autocomplete: "off", spellcheck: false });
    const said = h("p", { class: "fault", role: "alert" });
    const saved = h("span", { role: "status" });
    const save = async (/** @type {Event} */ event) => {
      event.preventDefault();
      fill(said);
      fill(saved);
      const notices_to = notices.value.split(/[,，;；\s]+/).filter(Boolean);
      try {
        await this.desk.chat.call("absence.put", { site: row.site, may_chat: chat.checked, notices_to });
        fill(saved, tell("saved"));
      } catch (error) {
        const isTold = error instanceof Refusal && error.code !== "disconnected";
        fill(said, isTold ? error.message : tell("failed"));
      }
    };
    return h(
      "form",
      { class: "card", onsubmit: save },
      h("h2", null, h("bdi", null, row.name)),
      box(chat, tell("mayChat"), tell("mayChatMore")),
      field(tell("noticesTo"), notices, tell("noticesMore")),
      mailProblem && h("p", { class: "more" }, tell("noMail")),
      said,
      h("div", { class: "card-tools" }, h("button", { class: "primary" }, tell("save")), saved),
    );
  }
}
