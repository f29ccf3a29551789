/** A transport that says nothing for so long is given up where there is another. */
export const WELCOME_MS = 8_000;
/** A connection that dies before this age died young. */
export const YOUNG_MS = 10_000;
export const YOUNG_DEATHS_MAX = 2;
export const PROBE_FIRST_MS = 60_000;
export const PROBE_MAX_MS = 1_800_000;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 20_000;

/**
 * Which transport to try next, decided from what became of earlier tries.
 *
 * The first of the list is preferred; a fallback that works stays until a probe of the
 * preferred one went through in both directions. No clock, no network.
 */
export class TransportChooser {
  /**
   * @param {string[]} names best first
   * @param {string} [startWith] what worked the last time
   */
  constructor(names, startWith = "") {
    if (!names.length) throw new Error("name at least one transport");
    this.names = names;
    this.at = Math.max(0, names.indexOf(startWith));
    this.youngDeaths = 0;
    /** Tries in a row without a welcome. */
    this.failures = 0;
    /** @type {number | null} */
    this.welcomedAt = null;
    this.probeEveryMs = PROBE_FIRST_MS;
    /** @type {number | null} */
    this.probeAt = null;
  }

  /** The transport to open next, or the one in use. */
  get current() {
    return this.names[this.at];
  }

  get isBest() {
    return this.at === 0;
  }

  /** @param {number} now when the server's welcome came through */
  welcomed(now) {
    this.failures = 0;
    this.welcomedAt = now;
    if (this.isBest) {
      this.probeAt = null;
      this.probeEveryMs = PROBE_FIRST_MS;
    } else {
      this.probeAt ??= now + this.probeEveryMs;
    }
  }

  /**
   * A connection, or a try to open one, has ended; not for ends the server announced.
   * @param {number} now
   * @param {boolean} [wasSilent]
   * @returns {boolean} whether another one is to be tried at once, without a pause
   */
  ended(now, wasSilent = false) {
    const { welcomedAt, names } = this;
    this.welcomedAt = null;
    if (welcomedAt === null) {
      this.failures += 1;
      this.step();
      // Once round the list without a pause: then the server is away.
      return names.length > 1 && this.failures % names.length !== 0;
    }
    if (!wasSilent && now - welcomedAt >= YOUNG_MS) {
      this.youngDeaths = 0;
      return false;
    }
    if (!wasSilent) this.youngDeaths += 1;
    if (!wasSilent && this.youngDeaths < YOUNG_DEATHS_MAX) return false;
    this.step();
    return names.length > 1;
  }

  step() {
    this.youngDeaths = 0;
    this.at = (this.at + 1) % this.names.length;
  }

  /** @returns {number | null} when to see whether the best one works */
  get nextProbe() {
    return this.isBest ? null : this.probeAt;
  }

  /**
   * @param {number} now
   * @param {boolean} wentThrough
   * @returns {boolean} whether to move to the preferred transport
   */
  probed(now, wentThrough) {
    if (wentThrough) {
      this.at = 0;
      this.youngDeaths = 0;
      this.probeAt = null;
      return true;
    }
    this.probeEveryMs = Math.min(this.probeEveryMs * 2, PROBE_MAX_MS);
    this.probeAt = now + this.probeEveryMs;
    return false;
  }
}

/**
 * When to try again: ranges that double, each delay drawn at random inside its range,
 * so that a thousand pages do not come back as one.
 */
export class Backoff {
  /** @param {() => number} [random] */
  constructor(random = Math.random) {
    this.random = random;
    this.attempt = 0;
  }

  /** @returns {number} milliseconds until the next attempt, which is counted */
  next() {
    const ceiling = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** this.attempt);
    this.attempt = Math.min(this.attempt + 1, 16);
    return PAUSE_MIN_MS / 10 + this.random() * (ceiling - PAUSE_MIN_MS / 10);
  }

  /**
   * @param {number} ms a window that the server named
   * @returns {number} a random moment inside it
   */
  within(ms) {
    return this.random() * Math.max(0, ms);
  }

  /** The connection was live: begin again. */
  reset() {
    this.attempt = 0;
  }
}
