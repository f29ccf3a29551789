import type * as F from "./frames";
import type { Entry } from "./outbox.js";

/** What a session tells the program above it. */
export type SessionEvent =
  | { type: "live"; welcome: F.Welcome }
  /** The history was replaced: drop what was shown, keep the outbox. */
  | { type: "reset" }
  /** Something in the outbox changed. */
  | { type: "outbox" }
  /** An entry has left the outbox: it is in the log, under this seq. */
  | { type: "stored"; entry: Entry; seq: number; at: number }
  /** The next message of a followed conversation. */
  | { type: "message"; frame: F.MessageFrame }
  | { type: "head"; frame: F.Head }
  | { type: "receipt"; frame: F.Receipt }
  | { type: "typing"; frame: F.TypingEvent }
  | { type: "list"; topic: string; rows: Map<number, Record<string, any>> }
  | { type: "answer"; id: string; frame: F.Page | F.Reply | F.ErrorFrame }
  | { type: "refused"; frame: F.ErrorFrame }
  | { type: "drain"; withinMs: number }
  | { type: "ended"; code: number }
  /** The order cannot be mended on this connection. */
  | { type: "stuck" };
