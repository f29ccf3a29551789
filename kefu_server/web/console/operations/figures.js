/**
 * @typedef {object} Sample a few seconds of one process
 * @property {number} connections
 * @property {number} messages_per_s
 * @property {number} delivered_per_s
 * @property {number} wait_ms
 * @property {number} commit_ms
 * @property {number} commit_messages
 * @property {number} lag_ms
 * @property {number} messages_waiting
 *
 * @typedef {{subject: string, finding: string, verdict: "warning" | "problem", title: string, says: string, mend: string}} Trouble
 *
 * @typedef {object} Figures
 * @property {{id: string, name: string, version: string, python: string, database: string, schema: string, started_at: number, at: number}} process
 * @property {Trouble[]} troubles
 * @property {number} every_s
 * @property {Sample[]} samples oldest first
 * @property {Sample} minute
 * @property {Record<string, number>} connections
 * @property {number} outbox_frames
 * @property {number} outbox_frames_max
 * @property {number} catch_ups
 * @property {number} slow_readers
 * @property {number} database_reads
 * @property {Record<string, number>} agents
 * @property {number} conversations_waiting
 * @property {number} waiting_s
 * @property {number} conversations_answered
 * @property {number} visits
 * @property {number} disk_free_bytes
 * @property {number} disk_total_bytes
 * @property {{name: string, calls: number, failures: number, is_paused: boolean}[]} services
 */

/**
 * @param {number} value
 * @returns {string} three digits at most, or all of a whole number
 */
export function short(value) {
  if (Number.isInteger(value) || value >= 100) return String(Math.round(value));
  return value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, "");
}

/**
 * Points of a line through values: the newest at the right, the least at the bottom.
 * @param {number[]} values
 * @param {number} count how many there is room for
 * @param {number} width
 * @param {number} height
 * @returns {string} for a `polyline`; empty for fewer than two
 */
export function lineThrough(values, count, width, height) {
  if (values.length < 2) return "";
  const shown = values.slice(-count);
  const most = Math.max(1e-9, ...shown);
  const step = width / (count - 1);
  const first = width - step * (shown.length - 1);
  return shown.map((value, at) => `${round(first + step * at)},${round(height * (1 - value / most))}`).join(" ");
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/**
 * Keep what every server has said last; one that has begun anew takes its own place.
 * @param {Map<string, {figures: Figures, heardAt: number}>} servers by id
 * @param {Figures} figures
 * @param {number} now
 */
export function keep(servers, figures, now) {
  for (const [id, { figures: known }] of servers) {
    if (known.process.name === figures.process.name && known.process.started_at < figures.process.started_at) servers.delete(id);
  }
  servers.set(figures.process.id, { figures, heardAt: now });
}
