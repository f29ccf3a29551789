/**
 * A value and those who look at it. Listeners run once a frame of the screen, however
 * often the value changed.
 * @template S
 */
export class Store {
  /** @param {S} state */
  constructor(state) {
    this.state = state;
    /** @type {Set<(state: S) => void>} */
    this.listeners = new Set();
    this.isWaiting = false;
  }

  /** @param {Partial<S>} [change] without one: something inside has changed */
  set(change) {
    if (change) this.state = { ...this.state, ...change };
    if (this.isWaiting) return;
    this.isWaiting = true;
    // A hidden page gets no animation frames, and still must count what is unread.
    const later = document.hidden ? queueMicrotask : requestAnimationFrame;
    later(() => {
      this.isWaiting = false;
      for (const listener of this.listeners) listener(this.state);
    });
  }

  /** @param {(state: S) => void} listener called now and after every change */
  watch(listener) {
    this.listeners.add(listener);
    listener(this.state);
  }
}
