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
 * @property {number | null} [ref]
 * @property {Translation} [translation] the same in another language, or why not
 * @property {{body: string, at: number}[]} [earlier] what it said before, since when
 *
 * @typedef {{body: string, data: Record<string, any>, isRead?: boolean}} Translation
 *   isRead: it is shown in place of the text; without it, where the text is not one's own
 * @typedef {(line: Line, all: Translation[]) => Translation | undefined} Reads which of a text's
 *   translations is shown: of each language the newest
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
const SHOWN = new Set([...SPOKEN, "assignment", "labels", "close", "reopen", "rating", "erased", "translating", "damaged"]);

/**
 * What a log looks like: day separators, groups of bubbles, centred system lines.
 * Placeholders and unknown kinds keep their seq and are not shown.
 * @param {Line[]} lines in the order to show
 * @param {(sender: string) => boolean} isMine
 * @param {{delivered: number, read: number}} other how far the other side has come
 * @param {Reads} [reads]
 * @returns {Item[]}
 */
export function itemsOf(lines, isMine, other, reads = (_, all) => all.at(-1)) {
  /** @type {Item[]} */
  const items = [];
  let today = "";
  const edits = editsIn(lines);
  const translations = translationsIn(lines);
  for (const each of lines) {
    const stored = each.kind === "placeholder" && each.data?.damaged ? { ...each, kind: "damaged" } : each;
    if (!SHOWN.has(stored.kind)) continue;
    const line = edited(stored, edits.get(stored.seq ?? 0), translations, reads);
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
 * @param {Line[]} lines
 * @returns {Map<number, Line[]>} by the seq of the message, in order
 */
function editsIn(lines) {
  /** @type {Map<number, Line[]>} */
  const edits = new Map();
  for (const line of lines) {
    if (!line.ref || (line.kind !== "edit" && line.kind !== "note_edit")) continue;
    edits.set(line.ref, [...(edits.get(line.ref) ?? []), line]);
  }
  return edits;
}

/**
 * @param {Line[]} lines
 * @returns {Map<number, Translation[]>} by the seq of the text
 */
function translationsIn(lines) {
  /** @type {Map<number, Translation[]>} */
  const found = new Map();
  for (const { kind, ref, body, data } of lines) {
    if (kind !== "translation" || !ref) continue;
    const all = found.get(ref) ?? [];
    const others = all.filter((each) => each.data.to !== data?.to);
    // What has failed may have worked at another time.
    if (!data?.failed || others.length === all.length) found.set(ref, [...others, { body, data: data ?? {} }]);
  }
  return found;
}

/**
 * @param {Line} line
 * @param {Line[] | undefined} edits
 * @param {ReturnType<typeof translationsIn>} translations
 * @param {Reads} reads
 * @returns {Line} as its sender wants it to be read
 */
function edited(line, edits, translations, reads) {
  if (line.kind !== "text" && line.kind !== "note") return line;
  const own = edits?.filter(({ sender }) => sender === line.sender);
  const told = translations.get(own?.at(-1)?.seq ?? line.seq ?? 0);
  const translation = told && reads(line, told);
  if (translation) line = { ...line, translation };
  if (!own?.length) return line;
  const all = [line, ...own].map(({ body, at }) => ({ body, at }));
  return { ...line, body: all[all.length - 1].body, earlier: all.slice(0, -1) };
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
