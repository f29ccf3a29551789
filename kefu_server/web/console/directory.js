/** @import {Chat} from "../client/chat.js" */
import { t } from "../ui/i18n.js";

const STALE_MS = 60_000;

/** What agents, teams and sites are called: asked for by id, and now and then again. */
export class Directory {
  /**
   * @param {Chat} chat
   * @param {{id: string, name: string}} me
   * @param {() => void} changed
   */
  constructor(chat, me, changed) {
    this.chat = chat;
    this.changed = changed;
    /** @type {Map<string, string>} empty while asked for */
    this.agents = new Map([[me.id, me.name]]);
    /** @type {Map<number, string>} */
    this.teams = new Map();
    /** @type {Map<number, {recall_within_s: number, edit_within_s: number, agents_language: string}>} by site: so long one's messages may be changed, and what is translated */
    this.within = new Map();
    /** @type {Set<number>} teams that were asked for by their id */
    this.missed = new Set();
    /** @type {Map<number, string>} */
    this.sites = new Map();
    this.learnedAt = 0;
  }

  /** Ask which teams and sites there are, after each time that the console was away. */
  learn() {
    this.learnedAt = Date.now();
    for (const what of /** @type {const} */ (["teams", "sites"])) void this.list(what).catch(() => {});
  }

  /** Ask again every minute: admins change what sites translate and allow. */
  keep() {
    if (this.chat.isLive && Date.now() - this.learnedAt > STALE_MS) this.learn();
  }

  /** @param {"teams" | "sites"} what */
  async list(what) {
    const answer = await this.chat.call(`${what}.list`, {});
    if (what === "sites") this.within = new Map(answer.sites.map((/** @type {any} */ site) => [site.id, site]));
    this[what] = new Map(answer[what].map((/** @type {{id: number, name: string}} */ { id, name }) => [id, name]));
    this.changed();
  }

  /**
   * @param {number} id
   * @returns {string} what the team is called; one that is new is asked for, once
   */
  teamOf(id) {
    if (id && !this.teams.has(id) && !this.missed.has(id) && this.chat.isLive) {
      // One that was deleted stays unknown, and is not asked for again and again.
      this.missed.add(id);
      void this.list("teams").catch(() => this.missed.delete(id));
    }
    return this.teams.get(id) ?? "";
  }

  /**
   * @param {string} id
   * @returns {string} what the agent is called, as far as it is known yet
   */
  nameOf(id) {
    void this.ask(id);
    return this.agents.get(id) || t("agent");
  }

  /** @param {string} id */
  async ask(id) {
    if (this.agents.has(id) || !id.startsWith("a") || !this.chat.isLive) return;
    this.agents.set(id, "");
    try {
      const { people } = await this.chat.call("people.get", { ids: [id] });
      for (const person of people) this.agents.set(person.id, person.name);
      this.changed();
    } catch {
      this.agents.delete(id);
    }
  }
}
