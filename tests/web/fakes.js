/** A server's end of the wire for one conversation log, as strict as the real one. */
export class FakeServer {
  constructor() {
    this.epoch = "e1";
    this.log = [];
    /** Keys to refuse once, with the error to answer. */
    this.refuse = new Map();
    this.connect();
  }

  /** A new connection: n begins at 1 again, nothing is followed. */
  connect() {
    this.next = 1;
    this.followed = null;
    this.received = [];
  }

  /** Take frames, return the answers in order. */
  take(frames) {
    return frames.flatMap((frame) => {
      this.received.push(frame);
      if (frame.t === "hello") return this.hello(frame);
      if (frame.t === "follow") return this.follow(frame.after);
      if (frame.t === "send") return this.send(frame);
      return [];
    });
  }

  hello({ cursors, epoch }) {
    const held = cursors["7"];
    const resumed = (!epoch || epoch === this.epoch) && (held ?? 0) <= this.log.length;
    const welcome = {
      t: "welcome", session: "s", epoch: this.epoch, resumed, heartbeat_s: 25,
      limits: { unacknowledged_sends: 64 }, me: { id: "v1", name: "", role: "visitor" },
      heads: { 7: this.log.length },
    };
    return held !== undefined && resumed ? [welcome, ...this.follow(held)] : [welcome];
  }

  follow(after) {
    this.followed = after;
    return this.log.slice(after);
  }

  send({ key, n, body }) {
    if (n > this.next) return [{ t: "error", code: "out_of_order", text: "", retry: "same", key }];
    const refusal = this.refuse.get(key);
    this.refuse.delete(key);
    if (refusal?.retry === "same") return [{ t: "error", text: "", key, ...refusal }];
    if (n === this.next) this.next += 1;
    if (refusal) return [{ t: "error", text: "", key, ...refusal }];
    const known = this.log.find((message) => message.key === key);
    if (known) return [{ t: "sent", key, conversation: 7, seq: known.seq, at: 1, duplicate: true }];
    const message = this.append("v1", body, key);
    const sent = { t: "sent", key, conversation: 7, seq: message.seq, at: 1 };
    return this.followed === null ? [sent] : [sent, message];
  }

  append(sender, body, key) {
    const seq = this.log.length + 1;
    const message = { t: "message", conversation: 7, seq, sender, kind: "text", at: 1, body, key };
    this.log.push(message);
    return message;
  }
}

/** Storage as browsers have it, for one origin. */
export class FakeStorage {
  constructor() {
    this.map = new Map();
  }
  get length() {
    return this.map.size;
  }
  key(i) {
    return [...this.map.keys()][i] ?? null;
  }
  getItem(name) {
    return this.map.get(name) ?? null;
  }
  setItem(name, value) {
    this.map.set(name, String(value));
  }
  removeItem(name) {
    this.map.delete(name);
  }
}

/** Web Locks of one origin; `page()` gives each page its own, to be closed. */
export class FakeLocks {
  constructor() {
    this.queues = new Map();
  }

  page() {
    const held = [];
    let isClosed = false;
    return {
      request: (name, work) =>
        new Promise((resolve, reject) => {
          const start = () => {
            if (isClosed) return this.done(name, start);
            held.push(() => this.done(name, start));
            Promise.resolve(work()).then(
              (value) => (this.done(name, start), resolve(value)),
              reject,
            );
          };
          const queue = this.queues.get(name) ?? [];
          this.queues.set(name, queue);
          queue.push(start);
          if (queue.length === 1) start();
        }),
      query: async () => ({
        held: [...this.queues].filter(([, q]) => q.length).map(([name]) => ({ name })),
      }),
      close: () => {
        isClosed = true;
        for (const release of held) release();
      },
    };
  }

  done(name, start) {
    const queue = this.queues.get(name);
    if (queue[0] !== start) return;
    queue.shift();
    queue[0]?.();
  }
}
