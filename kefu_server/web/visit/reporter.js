const SOON_MS = 400;
const HIDDEN_MS = 60_000;
const RETRY_MS = 30_000;
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
      body: this.body(hasLeft),
    });
  }

  async report() {
    if (!this.page || this.isOver) return;
    clearTimeout(this.timer);
    let waitMs = RETRY_MS;
    try {
      waitMs = await this.visitor.alone(() => this.tell());
    } catch {
      // The network is away: later.
    }
    this.soon(document.hidden ? Math.max(waitMs, HIDDEN_MS) : waitMs);
  }

  /** @returns {Promise<number>} after how long to report again */
  async tell() {
    const response = await this.ask(false);
    if (response.status === 403 || response.status === 404) this.end();
    if (!response.ok) return RETRY_MS;
    /** @type {Answer} */
    const answer = await response.json();
    if (!answer.every_s) this.end();
    else this.visits.keep();
    if (answer.token) this.visitor.keep(answer.token);
    this.answered(answer);
    return answer.every_s * 1000;
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

/**
 * Count the visits of this browser: more than half an hour apart they are two.
 * @param {string} site
 * @param {number} now
 * @returns {{isReturning: boolean, keep: () => void}} kept only where reports are wanted
 */
function visitsOf(site, now) {
  const name = `kefu.visits.${site}`;
  let text = "";
  try {
    text = localStorage.getItem(name) ?? "";
  } catch {
    // Then everybody is new.
  }
  const [count = 0, at = 0] = text.split(",").map(Number);
  const visits = now - at > STAY_MS ? count + 1 : Math.max(1, count);
  const keep = () => {
    try {
      localStorage.setItem(name, `${visits},${Date.now()}`);
    } catch {
      // As above.
    }
  };
  return { isReturning: visits > 1, keep };
}
