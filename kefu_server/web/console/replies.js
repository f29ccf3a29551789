/** @import {Line} from "../ui/items.js" */
/** @import {Desk} from "./desk.js" */
import { Refusal } from "../client/chat.js";
import { say } from "./phrases.js";

const HELD_MS = 1_000;

/** What an agent answers, and whose conversation it is when two are as quick. */
export class Replies {
  /**
   * @param {Desk} desk
   * @param {(conversation: number, text: string) => void} returned not sent after all
   */
  constructor(desk, returned) {
    this.desk = desk;
    this.returned = returned;
    /** @type {Map<number, Line[]>} what waits until its conversation is taken */
    this.held = new Map();
    /** @type {Set<number>} conversations that another agent took first */
    this.lost = new Set();
  }

  /**
   * Answer; the first answer to a waiting visitor also takes the conversation.
   * @param {number} conversation
   * @param {string} body
   * @param {Record<string, any>} [data]
   */
  send(conversation, body, data) {
    const { chat, me, rows } = this.desk;
    const row = rows.get(conversation);
    const held = this.held.get(conversation);
    this.lost.delete(conversation);
    if (!held && (!row || row.status === "active" || !chat.isLive)) {
      return chat.send(conversation, body, "text", data);
    }
    const key = `held-${held?.length ?? 0}`;
    const line = { key, kind: "text", body, data, at: Date.now(), sender: me.id };
    this.held.set(conversation, [...(held ?? []), line]);
    if (!held) void this.sendOnceTaken(conversation);
    this.desk.changed();
  }

  /** @param {number} conversation */
  async sendOnceTaken(conversation) {
    // Held text would not survive a reload, the outbox does: so not for long.
    const patience = new Promise((resolve) => setTimeout(resolve, HELD_MS, true));
    const mayGo = await Promise.race([this.take(conversation), patience]);
    const lines = this.held.get(conversation) ?? [];
    this.held.delete(conversation);
    if (mayGo) for (const { body, data } of lines) this.desk.chat.send(conversation, body, "text", data ?? undefined);
    else this.returned(conversation, lines.map(({ body }) => body).join("\n"));
    this.desk.changed();
  }

  /**
   * A file answers too: the first one to a waiting visitor takes the conversation.
   * @param {number} conversation
   * @returns {Promise<boolean>} false: another agent has it
   */
  async mayAnswer(conversation) {
    const row = this.desk.rows.get(conversation);
    if (!row || row.status === "active" || !this.desk.chat.isLive) return true;
    return this.take(conversation);
  }

  /**
   * @param {number} conversation
   * @returns {Promise<boolean>} false: another agent has it
   */
  async take(conversation) {
    try {
      await this.desk.chat.call("conversation.take", { conversation });
      this.lost.delete(conversation);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "conflict") return true;
      this.lost.add(conversation);
      this.desk.changed();
      return false;
    }
    return true;
  }

  /**
   * @param {number} conversation
   * @returns {string} who was first, where I was just too late; else nothing
   */
  notice(conversation) {
    const { desk } = this;
    if (!this.lost.has(conversation)) return "";
    // The conversation itself tells it too, where the list is behind.
    const taken = desk.lines(conversation).filter((line) => line.kind === "assignment").at(-1);
    const who = desk.rows.get(conversation)?.assignee ?? taken?.data?.assignee;
    if (who === desk.me.id) return "";
    return who ? say("takenByOther", { name: desk.nameOf(who) }) : say("takeFull");
  }
}
