/** @import {Entry} from "./outbox.js" */

/**
 * One page's outbox in localStorage. A lock is held for as long as the page lives, so
 * that what it leaves behind is taken over once, by whichever page gets the lock.
 *
 * Without locks (plain http on another machine) a new page copies what it finds. Two
 * pages may then send the same message; its key makes it one in the log.
 */
export class TabStorage {
  /**
   * @param {string} scope whose outboxes these are, such as a site or an agent
   * @param {object} [environment]
   * @param {Storage | undefined} [environment.storage]
   * @param {LockManager | undefined} [environment.locks]
   * @param {string} [environment.tab]
   */
  constructor(scope, environment = {}) {
    this.storage = "storage" in environment ? environment.storage : ownStorage();
    this.locks = "locks" in environment ? environment.locks : globalThis.navigator?.locks;
    this.prefix = `kefu.outbox.${scope}.`;
    this.name = this.prefix + (environment.tab ?? crypto.randomUUID?.() ?? random());
  }

  /**
   * Hold this page's lock and take over every outbox that has no page.
   * @param {(entries: Entry[]) => void} adopt called at once or when a page closes
   * @returns {Promise<void>} when all outboxes without a page have been taken over
   */
  async open(adopt) {
    if (!this.storage) return;
    const others = this.names().filter((name) => name !== this.name);
    try {
      if (this.locks) return await this.wait(this.locks, others, adopt);
    } catch {
      // A sandboxed frame has locks that refuse; it is as if there were none.
    }
    for (const name of others) this.takeOver(name, adopt);
  }

  /**
   * @param {LockManager} locks
   * @param {string[]} others
   * @param {(entries: Entry[]) => void} adopt
   */
  async wait(locks, others, adopt) {
    await hold(locks, this.name);
    const living = new Set((await locks.query()).held?.map((lock) => lock.name));
    for (const name of others) {
      const taking = locks.request(name, () => this.takeOver(name, adopt));
      if (!living.has(name)) await taking;
      else taking.catch(() => {});
    }
  }

  /**
   * @param {string} name
   * @param {(entries: Entry[]) => void} adopt
   */
  takeOver(name, adopt) {
    const entries = this.read(name);
    // First into the new outbox, then out of the old: a crash between leaves two
    // copies of one key, never none.
    if (entries.length) adopt(entries);
    this.attempt((storage) => storage.removeItem(name));
  }

  /** @param {Entry[]} entries */
  write(entries) {
    this.attempt((storage) => {
      if (entries.length) storage.setItem(this.name, JSON.stringify(entries));
      else storage.removeItem(this.name);
    });
  }

  /**
   * @param {string} name
   * @returns {Entry[]}
   */
  read(name) {
    try {
      const found = JSON.parse(this.storage?.getItem(name) ?? "[]");
      return Array.isArray(found) ? found.filter(isEntry) : [];
    } catch {
      return [];
    }
  }

  /** @returns {string[]} */
  names() {
    const names = [];
    for (let i = 0; i < (this.storage?.length ?? 0); i += 1) {
      const name = this.storage?.key(i);
      if (name?.startsWith(this.prefix)) names.push(name);
    }
    return names;
  }

  /** @param {(storage: Storage) => void} change */
  attempt(change) {
    try {
      if (this.storage) change(this.storage);
    } catch {
      // Storage that is full or forbidden costs survival of a reload, nothing else.
    }
  }
}

/** @returns {Storage | undefined} */
function ownStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

/** @returns {string} */
function random() {
  return Math.random().toString(36).slice(2) + Date.now().toString(36);
}

/**
 * @param {LockManager} locks
 * @param {string} name
 * @returns {Promise<void>} when the lock is held; it is given up when the page ends
 */
function hold(locks, name) {
  return new Promise((held) => {
    locks
      .request(name, () => {
        held();
        return new Promise(() => {});
      })
      .catch(() => held());
  });
}

/**
 * @param {any} value
 * @returns {value is Entry}
 */
function isEntry(value) {
  return typeof value?.key === "string" && typeof value.body === "string";
}
