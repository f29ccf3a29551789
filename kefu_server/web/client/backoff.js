const MIN_MS = 500;
const MAX_MS = 20_000;

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
    const ceiling = Math.min(MAX_MS, MIN_MS * 2 ** this.attempt);
    this.attempt = Math.min(this.attempt + 1, 16);
    return MIN_MS / 10 + this.random() * (ceiling - MIN_MS / 10);
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
