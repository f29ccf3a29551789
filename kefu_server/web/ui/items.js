import { dayKey } from "./time.js";

/**
 * @typedef {object} Line one message as a page holds it, in the log or before it
 * @property {string} key
 * @property {number} [seq] absent while it is not stored
 * @property {string} sender
 * @property {string} kind
 * @property {string} body
 * @property {Record<string, any> | null} [data]
 * @property {number} at
 * @property {string} [failure]
 *
 * @typedef {"sending" | "sent" | "delivered" | "read" | "failed"} State
 *
 * @typedef {object} Item one thing to draw
 * @property {string} key
 * @property {"day" | "bubble" | "system"} type
 * @property {Line} line
 * @property {boolean} isMine
 * @property {boolean} isFirst of a group: shows the name
 * @property {boolean} isLast of a group: shows the time
 * @property {State | null} state
 */

const GROUP_MS = 3 * 60_000;
const SPOKEN = new Set(["text", "note", "file", "auto"]);
/** What can be shown; of any other kind, a newer server's, only the seq counts. */
const SHOWN = new Set([...SPOKEN, "assignment", "labels", "close", "reopen", "rating", "erased"]);

/**
 * What a log looks like: day separators, groups of bubbles, centred system lines.
 * Placeholders and unknown kinds keep their seq and are not shown.
 * @param {Line[]} lines in the order to show
 * @param {(sender: string) => boolean} isMine
 * @param {{delivered: number, read: number}} other how far the other side has come
 * @returns {Item[]}
 */
export function itemsOf(lines, isMine, other) {
  /** @type {Item[]} */
  const items = [];
  let today = "";
  for (const line of lines) {
    if (!SHOWN.has(line.kind)) continue;
    const key = dayKey(line.at);
    if (key !== today) {
      const plain = { isMine: false, isFirst: true, isLast: true, state: null };
      const first = { ...line, body: "", key };
      items.push({ key: `day ${key} ${line.seq ?? line.key}`, type: "day", line: first, ...plain });
      today = key;
    }
    const type = SPOKEN.has(line.kind) ? "bubble" : "system";
    const mine = isMine(line.sender);
    const last = items.at(-1);
    const isFirst = !last || type === "system" || !continues(last, line);
    if (last && !isFirst) last.isLast = false;
    const state = mine && type === "bubble" ? stateOf(line, other) : null;
    items.push({ key: line.key, type, line, isMine: mine, isFirst, isLast: true, state });
  }
  return items;
}

/**
 * @param {Line} line
 * @returns {string} whose words these are: the system may quote an agent
 */
export function speakerOf({ kind, sender, data }) {
  return kind === "auto" && typeof data?.agent === "string" ? data.agent : sender;
}

/**
 * @param {Line} line a rating
 * @returns {string} such as ★★★★☆
 */
export function starsOf(line) {
  const score = Math.min(5, Math.max(0, Number(line.data?.score) || 0));
  return "★".repeat(score) + "☆".repeat(5 - score);
}

/**
 * @param {Item} last
 * @param {Line} line
 */
function continues(last, line) {
  if (last.type !== "bubble" || speakerOf(last.line) !== speakerOf(line)) return false;
  return last.line.kind === line.kind && line.at - last.line.at < GROUP_MS;
}

/**
 * @param {Line} line
 * @param {{delivered: number, read: number}} other
 * @returns {State}
 */
function stateOf(line, other) {
  if (line.failure) return "failed";
  if (!line.seq) return "sending";
  // Of a note the other side gets its place only: that it came tells nothing.
  if (line.kind === "note") return "sent";
  if (line.seq <= other.read) return "read";
  return line.seq <= other.delivered ? "delivered" : "sent";
}
