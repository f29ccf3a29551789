const SOON_MS = 400;
const HIDDEN_MS = 60_000;
const RETRY_MS = 30_000;
const ANSWER_MS = 10_000;
const STAY_MS = 1_800_000;

/**
 * @typedef {object} Page
 * @property {string} url
 * @property {string} title
 * @property {string} referrer
 *
 * @typedef {object} Answer
 * @property {number} every_s 0: nobody wants to know
 * @property {string} [token]
 * @property {Invitation} [invitation]
 *
 * @typedef {{id: number, text: string, name: string, token?: string}} Invitation
 */

/** Reports which page is shown: when it changes, and every few seconds while it is. */
export class Reporter {
  /**
   * @param {object} parts
   * @param {string} parts.site
   * @param {import("../widget/visitor.js").VisitorToken} parts.visitor
   * @param {(answer: Answer) => void} parts.answered
   * @param {() => void} parts.stopped
   */
  constructor({ site, visitor, answered, stopped }) {
    this.site = site;
    this.visitor = visitor;
    this.answered = answered;
    this.stopped = stopped;
    /** Tells this tab and loading from others. */
    this.id = Math.random().toString(36).slice(2, 14);
    /** @type {Page | null} */
    this.page = null;
    this.everyMs = 15_000;
    this.isOver = false;
    /** @type {{id: number, state: string} | null} what became of an invitation, to be told */
    this.reply = null;
    this.refusals = new Kept(`kefu.refused.${site}`);
    /** @type {number | undefined} */
    this.timer = undefined;
    this.visits = visitsOf(site, Date.now());
  }

  /** @param {Page} page */
  show(page) {
    const isOther = page.url !== this.page?.url;
    this.page = page;
    // A title that blinks is told with the next report.
    if (isOther) this.soon(SOON_MS);
  }

  /** @param {number} ms */
  soon(ms) {
    clearTimeout(this.timer);
    if (!this.isOver) this.timer = setTimeout(() => void this.report(), ms);
  }

  /** @param {boolean} hasLeft */
  body(hasLeft) {
    const { width, height } = screen;
    return JSON.stringify({
      site: this.site,
      token: this.visitor.stored(),
      page: this.id,
      url: this.page?.url.slice(0, 4_000),
      title: this.page?.title.slice(0, 500),
      referrer: this.page?.referrer.slice(0, 4_000),
      language: navigator.language.slice(0, 40),
      screen: `${width}×${height}`,
      is_hidden: document.hidden,
      has_left: hasLeft,
      is_returning: this.visits.isReturning,
      has_refused: this.refusals.text === "1",
      invitation: this.reply,
    });
  }

  /** @param {boolean} hasLeft */
  ask(hasLeft) {
    return fetch("/api/visit", {
      method: "POST",
      headers: { "content-type": "application/json" },
      credentials: "omit",
      // What is said while the page goes away still arrives.
      keepalive: hasLeft,
      signal: AbortSignal.timeout?.(ANSWER_MS),
      body: this.body(hasLeft),
    });
  }

  async report() {
    if (!this.page || this.isOver) return;
    clearTimeout(this.timer);
    let waitMs = RETRY_MS;
    try {
      const tell = () => this.tell();
      // The first is answered with a token, for which the chat's frame may ask as well.
      waitMs = await (this.visitor.stored() ? tell() : this.visitor.alone(tell));
    } catch {
      // The network is away: later.
    }
    // What became of an invitation is told at once, unless the server is away.
    if (this.reply && waitMs !== RETRY_MS) return this.soon(0);
    this.soon(document.hidden ? Math.max(waitMs, HIDDEN_MS) : waitMs);
  }

  /** @returns {Promise<number>} after how long to report again */
  async tell() {
    const { reply } = this;
    const response = await this.ask(false);
    if (response.status === 403 || response.status === 404) this.end();
    if (!response.ok) return RETRY_MS;
    /** @type {Answer} */
    const answer = await response.json();
    if (!answer.every_s) this.end();
    else this.visits.keep();
    if (answer.token) this.visitor.keep(answer.token);
    if (reply === this.reply) this.reply = null;
    this.answered(answer);
    return answer.every_s * 1000;
  }

  /**
   * Say at once what became of an invitation.
   * @param {number} id
   * @param {"shown" | "accepted" | "refused"} state
   */
  answer(id, state) {
    if (state === "refused") this.refusals.keep("1");
    this.reply = { id, state };
    this.soon(0);
  }

  /** The page is being left; it may come back out of the browser's memory. */
  leave() {
    clearTimeout(this.timer);
    if (this.page && !this.isOver) this.ask(true).catch(() => {});
  }

  end() {
    this.isOver = true;
    clearTimeout(this.timer);
    this.stopped();
  }
}

/** A text that this browser keeps for one site, as far as it keeps anything. */
export class Kept {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.text = "";
    try {
      this.text = localStorage.getItem(name) ?? "";
    } catch {
      // Then every page is the first.
    }
  }

  /** @param {string} text */
  keep(text) {
    this.text = text;
    try {
      localStorage.setItem(this.name, text);
    } catch {
      // As above.
    }
  }
}

/**
 * Count the visits of this browser: more than half an hour apart they are two.
 * @param {string} site
 * @param {number} now
 * @returns {{isReturning: boolean, keep: () => void}} kept only where reports are wanted
 */
function visitsOf(site, now) {
  const kept = new Kept(`kefu.visits.${site}`);
  const [count = 0, at = 0] = kept.text.split(",").map(Number);
  const visits = now - at > STAY_MS ? count + 1 : Math.max(1, count);
  return { isReturning: visits > 1, keep: () => kept.keep(`${visits},${Date.now()}`) };
}
