/** @import {Desk} from "./desk.js" */
import { Composer } from "../ui/composer.js";
import { Editing } from "../ui/editing.js";
import { fill, h, icon } from "../ui/dom.js";
import { t } from "../ui/i18n.js";
import { Files } from "../ui/files.js";
import { itemsOf } from "../ui/items.js";
import { LogView } from "../ui/logview.js";
import { Reading } from "../ui/reading.js";
import { stamp } from "../ui/time.js";
import { CannedMenu } from "./canned/menu.js";
import { Reader } from "./canned/reader.js";
import { HandMenu } from "./hand.js";
import { LabelMenu } from "./labels.js";
import { systemText } from "./lines.js";
import { faceOf, hueOf, statusText, visitorName } from "./people.js";
import { say } from "./phrases.js";
import { Glance } from "./translation/glance.js";
import { Preview } from "./translation/preview.js";
import { readsOf } from "./translation/reads.js";
import { TranslationSwitch } from "./translation/switch.js";
import { Writing } from "./writing.js";
import { VisitorPane } from "./visitor/pane.js";

/** The open conversation and the slim facts beside it. */
export class RoomView {
  /**
   * @param {Desk} desk
   * @param {{leave: () => void, changed: () => void}} parts
   */
  constructor(desk, parts) {
    this.desk = desk;
    this.parts = parts;
    /** @type {number | null} */
    this.id = null;
    this.log = new LogView({
      nameOf: (sender) => desk.nameOf(sender),
      isMe: (sender) => sender === desk.me.id,
      systemText: ({ line }) => systemText(line, (id) => desk.nameOf(id), desk.me.id, (team) => desk.directory.teamOf(team)),
      bodyOf: (line) => [line.kind === "file" ? this.files.lines.of(line) : line.body],
      tag: (line) => (line.kind === "note" ? say("noteTag") : ""),
      recall: {
        until: (line) => (line.sender === desk.me.id ? line.at + desk.withinMs(this.id, "recall_within_s") : 0),
        act: (line) => desk.chat.call("message.recall", { conversation: this.id, seq: line.seq }),
        again: (line) => {
          // A note is written again as a note.
          this.writing.use(line.kind === "note" ? "note" : "text");
          this.composer.add(line.body);
        },
      },
      edit: { until: (line) => this.editableUntil(line), start: (line) => this.editing.start(line) },
      older: () => this.id && desk.chat.older(this.id).then(parts.changed),
      seen: parts.changed,
      retry: (key) => desk.chat.retry(key),
      discard: (key) => (desk.chat.outbox.discard(key), parts.changed()),
    });
    this.reading = this.log.reading = new Reading();
    this.composer = new Composer({
      send: (body) => this.send(body),
      // That a note is written is nobody's business on the other side.
      typing: (text) => this.id && this.writing.kind === "text" && desk.chat.typing(this.id, text),
      up: () => {
        const line = this.log.lastOwn((each) => this.editableUntil(each));
        if (line) this.editing.start(line);
        return Boolean(line);
      },
    });
    this.editing = new Editing({
      composer: this.composer,
      save: ({ seq }, body, key) => desk.chat.call("message.edit", { conversation: this.id, seq, key, body }),
    });
    this.canned = new CannedMenu(desk, this.composer, () => this.names(), new Reader(desk, () => this.id));
    this.files = new Files({
      composer: this.composer,
      zone: this.log.element,
      here: () => this.id,
      open: async () => this.id ?? 0,
      headers: async () => ({}),
      bytesMax: () => 0,
      texts: (to) => [...desk.chat.outbox.of(to), ...(desk.replies.held.get(to) ?? [])],
      freed: () => desk.chat.flush(),
      may: async (to) => ((await desk.replies.mayAnswer(to)) ? "" : desk.replies.notice(to) || say("takeFull")),
    });
    desk.chat.session.lanes.heldFrom = (conversation) => this.files.heldFrom(conversation);
    this.writing = new Writing({ composer: this.composer, drafts: desk.drafts, switched: () => this.switched() });
    this.translation = new TranslationSwitch(desk);
    this.preview = new Preview(desk, this.composer);
    this.glance = new Glance(desk, parts.changed);
    this.writing.element.append(this.preview.button, this.translation.element);
    this.writing.element.after(this.preview.element);
    this.name = h("h2");
    this.sub = h("span", { class: "room-sub" });
    this.takeButton = h("button", { type: "button", class: "primary", onclick: () => this.id && desk.replies.take(this.id) }, t("take"));
    this.closeButton = h("button", { type: "button", class: "plain", onclick: () => this.id && desk.close(this.id) }, t("closeChat"));
    this.reopenButton = h("button", { type: "button", class: "plain", onclick: () => this.id && desk.reopen(this.id) }, say("reopen"));
    this.labels = new LabelMenu(desk, "labels-room", () => {});
    this.hand = new HandMenu(desk);
    this.pane = new VisitorPane(desk, parts.changed);
    this.typing = h("div", { class: "room-typing", hidden: true });
    this.notice = h("p", { class: "room-notice", role: "status" });
    this.header = h(
      "header",
      { class: "room-head" },
      h("button", { type: "button", class: "back", "aria-label": t("back"), onclick: parts.leave }, icon("back")),
      h("div", { class: "room-title" }, this.name, this.sub),
      this.labels.element,
      this.hand.element,
      this.takeButton,
      this.closeButton,
      this.reopenButton,
      this.pane.button,
    );
    this.nothing = h("div", { class: "nothing" }, icon("chat"), h("strong", null, say("noSelection")), h("span", null, say("noSelectionMore")));
    this.inside = h("div", { class: "room-inside", hidden: true }, this.header, this.log.element, this.typing, this.notice, this.canned.element, this.composer.element);
    this.element = h("main", { class: "room", "aria-label": t("conversation") }, this.nothing, this.inside);
    this.info = this.pane.facts;
  }

  /** @param {number | null} id */
  open(id) {
    this.id = id;
    this.writing.open(id);
    this.nothing.hidden = id !== null;
    this.inside.hidden = id === null;
    this.desk.shown = id;
    if (id === null) return;
    this.desk.open(id);
    this.switched();
    this.show(true);
    this.composer.focus();
  }

  /** @param {import("../ui/items.js").Line} line */
  editableUntil(line) {
    return line.sender === this.desk.me.id ? line.at + this.desk.withinMs(this.id, "edit_within_s") : 0;
  }

  /** What canned replies call those who talk here. */
  names() {
    const row = this.id === null ? undefined : this.desk.rows.get(this.id);
    return { visitor: row ? visitorName(row) : "", agent: this.desk.me.name, site: (row && this.desk.directory.sites.get(row.site_id)) || "" };
  }

  /** @param {string} body */
  send(body) {
    const { id, desk } = this;
    if (!id) return;
    // What it is, is settled here; a note takes no conversation and waits for none.
    if (this.writing.kind === "note") desk.chat.send(id, body, "note");
    else desk.replies.send(id, body, this.preview.taken(id, body));
  }

  /** Replies have files, notes have none: those would go to the visitor. */
  switched() {
    const { id, desk } = this;
    const isNote = this.writing.kind === "note";
    this.files.button.hidden = isNote;
    if (id && isNote) desk.chat.typing(id, "");
    const row = id === null ? undefined : desk.rows.get(id);
    if (row) this.writing.label(visitorName(row));
  }

  show(isFresh = false) {
    const { desk, id } = this;
    const row = id === null ? undefined : desk.rows.get(id);
    if (id === null) {
      delete this.info.dataset.mark;
      this.pane.clear();
      return fill(this.info);
    }
    const lines = desk.lines(id);
    const items = itemsOf(this.glance.with(row, lines), (sender) => sender.startsWith("a") || sender === "s0", desk.visitorAt(id), readsOf(desk, row?.site_id ?? 0));
    const isWhole = lines.length > 0 && (lines[0].seq ?? 1) <= 1;
    const top = isWhole ? h("p", { class: "beginning" }, t("history")) : null;
    this.reading.isOff = row?.is_translated === false;
    this.log.show(items, { top, isFresh, skin: JSON.stringify([this.reading.isOff, ...desk.directory.agents, ...desk.directory.teams]) });
    this.composer.limit = desk.chat.session.limits?.text_chars ?? this.composer.limit;
    this.files.show();
    this.showTyping(id);
    const notice = desk.replies.notice(id);
    if (this.notice.textContent !== notice) this.notice.textContent = notice;
    if (row) this.showRow(row);
    if (this.isLookedAt) desk.seen(id);
  }

  get isLookedAt() {
    return !document.hidden && document.hasFocus() && this.log.isAtBottom;
  }

  /** @param {import("./desk.js").Row} row */
  showRow(row) {
    const { desk } = this;
    const name = visitorName(row);
    const status = statusText(row);
    const assignee = row.assignee ? desk.nameOf(row.assignee) : "";
    fill(this.name, h("bdi", null, name));
    const team = desk.directory.teamOf(row.team_id ?? 0);
    fill(this.sub, h("i", { class: `dot ${row.status}` }), status, (assignee || team) && ` · ${assignee || team}`);
    this.takeButton.hidden = row.status === "closed" || row.assignee === desk.me.id;
    this.closeButton.hidden = row.status === "closed";
    this.reopenButton.hidden = row.status !== "closed";
    this.takeButton.disabled = this.closeButton.disabled = this.reopenButton.disabled = !desk.chat.isLive;
    this.hand.show(row);
    this.pane.show(row);
    this.labels.show(row.id, row.labels);
    this.translation.show(row);
    this.preview.show(row, this.writing.kind === "text" && this.translation.languageOf(row) !== "");
    this.writing.label(name);
    const now = Date.now();
    /** @type {[string, string][]} */
    const facts = [
      [t("status"), status],
      [say("opened"), stamp(row.opened_at, now)],
      [say("takenBy"), assignee || "–"],
      ...(team ? [/** @type {[string, string]} */ ([say("toTeam"), team])] : []),
      [t("messages"), String(row.last_seq)],
    ];
    const mark = JSON.stringify([name, facts, row.labels]);
    if (this.info.dataset.mark === mark) return;
    this.info.dataset.mark = mark;
    fill(
      this.info,
      h("div", { class: `face big hue-${hueOf(row)}`, "aria-hidden": "true" }, faceOf(row)),
      h("h3", null, h("bdi", null, name)),
      h("dl", null, ...facts.flatMap(([term, value]) => [h("dt", null, term), h("dd", null, h("bdi", null, value))])),
      row.labels.length > 0 && h("p", { class: "info-labels", "aria-label": say("labels") }, ...row.labels.map((label) => h("span", { class: "chip" }, h("bdi", null, label)))),
    );
  }

  /** @param {number} id */
  showTyping(id) {
    const typing = [...(this.desk.chat.logs.all.get(id)?.typing ?? [])].find(([who]) => who.startsWith("v"));
    this.typing.hidden = !typing;
    if (!typing) return;
    const [who, { text }] = typing;
    fill(this.typing, h("em", null, t("typing", { name: this.desk.nameOf(who) })), text && h("span", { dir: "auto" }, text));
  }
}
