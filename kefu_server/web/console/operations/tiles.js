/** @import {Figures, Sample} from "./figures.js" */
import { h } from "../../ui/dom.js";
import { span } from "../../ui/time.js";
import { lineThrough, short } from "./figures.js";
import { tell } from "./phrases.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120, HEIGHT = 26, SAMPLES_MIN = 24;
const GIB = 1_073_741_824;

/**
 * The last minutes of a figure as a line; nothing before there are two samples.
 * @param {Figures} figures
 * @param {keyof Sample} field
 * @param {string} name
 * @param {(value: number) => string} said
 */
function spark({ samples, every_s }, field, name, said) {
  const values = samples.map((sample) => sample[field]);
  const points = lineThrough(values, Math.max(SAMPLES_MIN, values.length), WIDTH, HEIGHT - 2);
  if (!points) return null;
  const svg = document.createElementNS(SVG, "svg");
  const title = tell("recent", { name, minutes: Math.max(1, Math.round((values.length * every_s) / 60)), most: said(Math.max(...values)) });
  for (const [key, value] of Object.entries({ viewBox: `0 -1 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "spark", role: "img", "aria-label": title })) svg.setAttribute(key, value);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points);
  svg.append(line);
  return svg;
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} [more]
 * @param {SVGSVGElement | null} [line]
 * @param {string} [verdict] how bad what is wrong with it is
 */
function tile(name, value, more = "", line = null, verdict = "") {
  return h("div", { class: `tile ${verdict}` }, h("dt", null, name), h("dd", null, h("b", null, value), more && h("small", null, more), line));
}

/**
 * @param {Figures} figures
 * @returns {HTMLElement} what the eye looks for at night, in the order of the questions
 */
export function tiles(figures) {
  const { minute, agents, connections } = figures;
  const worst = (/** @type {string[]} */ ...findings) => figures.troubles.find(({ finding }) => findings.includes(finding))?.verdict ?? "";
  const ms = (/** @type {number} */ value) => tell("ms", { count: short(value) });
  const rate = (/** @type {number} */ value) => tell("perSecond", { count: short(value) });
  const count = (/** @type {string} */ status) => agents[status] ?? 0;
  const total = Object.values(connections).reduce((sum, each) => sum + each, 0);
  const transports = tell("transports", { websocket: connections.websocket ?? 0, longpoll: connections.longpoll ?? 0, tcp: connections.tcp ?? 0 });
  const answered = figures.conversations_answered;
  const waiting = figures.conversations_waiting;
  const queue = waiting ? tell("queueMore", { time: span(figures.waiting_s * 1000), answered }) : tell("queueNone", { answered });
  const more = { busy: count("busy"), away: count("away"), offline: count("offline") };
  const gigabytes = (/** @type {number} */ bytes) => short(Math.round((bytes / GIB) * 10) / 10);
  const line = (/** @type {keyof Sample} */ field, /** @type {string} */ name, /** @type {(value: number) => string} */ said) => spark(figures, field, name, said);
  return h(
    "dl",
    { class: "tiles" },
    tile(tell("queue"), String(waiting), queue, null, worst("nobody", "unanswered")),
    tile(tell("agents"), String(count("online")), tell("agentsMore", more), null, worst("nobody")),
    tile(tell("connections"), String(total), transports, line("connections", tell("connections"), String), worst("polls")),
    tile(tell("messages"), rate(minute.messages_per_s), tell("messagesMore", { delivered: short(minute.delivered_per_s) }), line("messages_per_s", tell("messages"), rate)),
    tile(tell("wait"), ms(minute.wait_ms), tell("waitMore", { count: minute.messages_waiting }), line("wait_ms", tell("wait"), ms), worst("stands", "away")),
    tile(tell("commit"), ms(minute.commit_ms), tell("commitMore", { count: short(minute.commit_messages), reads: figures.database_reads }), line("commit_ms", tell("commit"), ms), worst("slow", "away")),
    tile(tell("lag"), ms(minute.lag_ms), tell("lagMore"), line("lag_ms", tell("lag"), ms), worst("late")),
    tile(tell("outbox"), String(figures.outbox_frames), tell("outboxMore", { most: figures.outbox_frames_max })),
    tile(tell("catchUps"), String(figures.catch_ups), tell("catchUpsMore", { slow: figures.slow_readers }), null, worst("readers")),
    tile(tell("visits"), String(figures.visits)),
    tile(tell("disk"), tell("gigabytes", { count: gigabytes(figures.disk_free_bytes) }), tell("diskMore", { total: gigabytes(figures.disk_total_bytes) }), null, worst("full", "low", "inodes")),
  );
}
