/** @import {Desk} from "../desk.js" */
/** @import {Canned} from "./texts.js" */
import { fill, h } from "../../ui/dom.js";
import { field, quiet, twice } from "../settings/form.js";
import { ListSection } from "../settings/section.js";
import { Others } from "../translation/others.js";
import { tell } from "./phrases.js";

/** @param {Desk} desk */
export function make(desk) {
  return new CannedPage(desk);
}

/** All the texts that one can put in, to be found, changed and added. */
class CannedPage extends ListSection {
  /** @param {Desk} desk */
  constructor(desk) {
    super(desk);
    /** @type {Canned[]} */
    this.rows = [];
    /** @type {{id: number, name: string}[]} */
    this.teams = [];
    this.seek = h("input", { type: "search", "aria-label": tell("search"), placeholder: tell("search"), oninput: () => this.draw() });
    this.element = h("main", { class: "page canned" }, h("h1", null, tell("title")), h("p", { class: "more" }, tell("intro")), this.seek, this.fault, this.list, this.adding);
  }

  async load() {
    const teams = await this.call("teams.list");
    const answer = teams && (await this.call("replies.list"));
    if (!answer) return;
    this.teams = teams.teams;
    this.rows = answer.rows;
    this.draw();
    this.offer(tell("add"), (place) => this.edit(place, null));
  }

  draw() {
    const word = this.seek.value.trim().toLowerCase();
    const rows = this.rows.filter((row) => [row.shortcut, row.title, row.folder, row.body].join("\n").toLowerCase().includes(word));
    /** @type {Map<string, Canned[]>} */
    const folders = new Map();
    for (const row of rows) folders.set(row.folder, [...(folders.get(row.folder) ?? []), row]);
    const names = [...folders.keys()].sort();
    const parts = names.flatMap((name) => [name && h("h2", { class: "canned-folder" }, h("bdi", null, name)), ...(folders.get(name) ?? []).map((row) => this.card(row))]);
    this.seek.hidden = !this.rows.length;
    fill(this.list, ...(parts.length ? parts : [h("p", { class: "more" }, tell(word ? "nothing" : "none"))]));
  }

  /** @param {Canned} row */
  whose(row) {
    if (row.scope !== "team") return tell(row.scope);
    return tell("team", { name: this.teams.find(({ id }) => id === row.team)?.name ?? "" });
  }

  /** @param {Canned} row */
  card(row) {
    const card = h("div", { class: "card" });
    fill(
      card,
      h("h3", null, row.shortcut && h("kbd", null, `/${row.shortcut}`), " ", h("bdi", null, row.title)),
      h("p", { class: "canned-body", dir: "auto" }, row.body),
      Object.keys(row.translations).length > 0 && h("p", { class: "more" }, tell("also", { languages: Object.keys(row.translations).join(", ") })),
      h("div", { class: "card-tools" }, h("span", { class: "more" }, h("bdi", null, this.whose(row))), row.may_change && quiet(tell("change"), () => this.edit(card, row)), row.may_change && twice(tell("remove"), tell("removeSure"), () => void this.remove(row))),
    );
    return card;
  }

  /** @param {Canned} row */
  async remove(row) {
    if (await this.call("reply.delete", { reply: row.id })) await this.load();
  }

  /**
   * @param {HTMLElement} place
   * @param {Canned | null} row
   */
  edit(place, row) {
    const shortcut = h("input", { maxLength: 40, value: row?.shortcut ?? "", autocapitalize: "none", spellcheck: false, autocomplete: "off" });
    const title = h("input", { maxLength: 200, value: row?.title ?? "", autocomplete: "off" });
    const folder = h("input", { maxLength: 100, value: row?.folder ?? "", autocomplete: "off" });
    const body = h("textarea", { required: true, maxLength: 4000, rows: 5, value: row?.body ?? "", dir: "auto" });
    const whose = h("select", null, h("option", { value: "own" }, tell("own")));
    if (this.desk.me.role === "admin") {
      whose.append(h("option", { value: "all" }, tell("all")));
      whose.append(...this.teams.map(({ id, name }) => h("option", { value: String(id) }, tell("team", { name }))));
    }
    whose.value = row?.scope === "team" ? String(row.team) : (row?.scope ?? "own");
    const others = new Others(
      this.desk,
      async () => (await this.desk.chat.call("sites.list", {})).sites.map((/** @type {{id: number}} */ { id }) => id),
      [{ name: "body", label: tell("body"), source: body }],
      Object.entries(row?.translations ?? {}).map(([language, text]) => ({ language, body: text })),
    );
    const read = () => {
      const team = Number(whose.value);
      // What is empty is no translation.
      const said = others.read().filter((each) => each.body);
      return {
        method: "reply.put",
        params: {
          ...(row ? { reply: row.id } : {}),
          ...(team ? { scope: "team", team } : { scope: whose.value }),
          shortcut: shortcut.value.trim(), title: title.value.trim(), folder: folder.value.trim(), body: body.value,
          translations: Object.fromEntries(said.map((each) => [each.language, each.body])),
        },
      };
    };
    this.ask(
      place, !row, read,
      field(tell("shortcut"), shortcut, tell("shortcutMore")),
      field(tell("replyTitle"), title),
      field(tell("body"), body, tell("bodyMore")),
      others.element,
      field(tell("folder"), folder),
      whose.options.length > 1 && field(tell("forWhom"), whose),
    );
  }
}
